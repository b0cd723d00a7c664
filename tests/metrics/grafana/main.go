// Reads a dashboard as Grafana's own published types have it: no field is unknown, none that is needed is missing.
package main

import (
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func main() {
	raw, err := os.ReadFile(os.Args[1])
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	plugins.RegisterDefaultPlugins()
	read := dashboard.Dashboard{}
	for _, err := range []error{read.UnmarshalJSONStrict(raw), read.Validate()} {
		// an empty list of errors is told as an error without words
		if err != nil && err.Error() != "" {
			fmt.Println(err)
			os.Exit(1)
		}
	}
	fmt.Printf("%d panels\n", len(read.Panels))
}
