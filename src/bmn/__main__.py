"""`python -m bmn` is `bmn`."""

from bmn.cli.main import main

if __name__ == "__main__":
    main()
