"""`python -m workers.cli` is `quorate`."""

from workers.cli.main import main

if __name__ == "__main__":
    main()
