"""`readystate` and `python -m readystate`."""


def main() -> None:
    from readystate.cli.app import run

    run()


if __name__ == "__main__":
    main()
