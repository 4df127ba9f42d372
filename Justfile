# The verbs of this repository; `just --list` shows them.

# Build, bring a lab up, push, finalize and install at a client (needs root)
demo *arguments:
    tests/lab/demo {{arguments}}

# All tests that this user can run; `just test --all` adds the slow ones
test *arguments:
    tests/run {{arguments}}

# Format and lints, without the tests
lint:
    cargo fmt --check
    cargo clippy --all-targets --features failpoints -- -D warnings
