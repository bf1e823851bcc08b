from oprover_jax.cli.main import main

main()
