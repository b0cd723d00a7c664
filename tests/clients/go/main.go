// go-proxmox, unmodified: clones, starts, stops and removes a guest; prints what it was told as one JSON text.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/luthermonson/go-proxmox"
)

type twin struct{ Host, Node, User, Password, Token, Secret, Ca string }

func must[T any](value T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return value
}

func ended(task *proxmox.Task, err error) string {
	must(task, err)
	must(0, task.Wait(context.Background(), 100*time.Millisecond, time.Minute))
	return task.ExitStatus
}

func main() {
	var given twin
	must(0, json.Unmarshal([]byte(os.Getenv("TWIN")), &given))
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(must(os.ReadFile(given.Ca)))
	transport := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	url := "https://" + given.Host + ":8006/api2/json"
	login := proxmox.WithAPIToken(given.Token, given.Secret)
	if given.Password != "" {
		login = proxmox.WithCredentials(&proxmox.Credentials{Username: given.User, Password: given.Password})
	}
	client := proxmox.NewClient(url, proxmox.WithHTTPClient(transport), login)

	ctx := context.Background()
	cluster := must(client.Cluster(ctx))
	node := must(client.Node(ctx, given.Node))
	template := must(node.VirtualMachine(ctx, 101))
	_, clone, err := template.Clone(ctx, &proxmox.VirtualMachineCloneOptions{NewID: 320, Name: "by-go", Full: true, Storage: "pxmx-ac-shared"})
	exits := []string{ended(clone, err)}
	guest := must(node.VirtualMachine(ctx, 320))
	exits = append(exits, ended(guest.Start(ctx)), ended(guest.Stop(ctx)), ended(guest.Delete(ctx, nil)))
	_, refusal := node.VirtualMachine(ctx, 320)
	must(0, json.NewEncoder(os.Stdout).Encode(map[string]any{
		"version":   must(client.Version(ctx)).Version,
		"quorate":   cluster.Quorate,
		"nodes":     len(must(client.Nodes(ctx))),
		"resources": len(must(cluster.Resources(ctx))),
		"tasks":     len(must(cluster.Tasks(ctx))),
		"networks":  len(must(node.Networks(ctx))),
		"storages":  len(must(node.Storages(ctx))),
		"report":    len(must(node.Report(ctx))) > 0,
		"roles":     len(must(client.Roles(ctx))) > 0,
		"users":     len(must(client.Users(ctx))),
		"pools":     len(must(client.Pools(ctx))),
		"exits":     exits,
		"refusal":   fmt.Sprint(refusal),
	}))
}
