"""`python -m symland` is `symland`."""

from symland.cli import main

if __name__ == "__main__":
    main()
