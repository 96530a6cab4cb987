"""`python -m ninefold`: the command line, where an interpreter is known and no PATH is set."""

from ninefold.cli.main import main

if __name__ == "__main__":
    main()
