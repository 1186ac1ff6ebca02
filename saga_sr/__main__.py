"""`python -m saga_sr` is `saga-sr`."""

from saga_sr.cli.main import main

if __name__ == "__main__":
    main()
