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

# A hundred builds under random faults in the lab: `just soak [SEED] [BUILDS]` (needs root)
soak seed="" builds="100":
    SWARM_SOAK_SEED={{seed}} SWARM_SOAK_BUILDS={{builds}} tests/run --run-ignored all --no-capture a_hundred_builds_under_random_faults

# A year of nightly runs, by a clock that is moved: `just year [NIGHTS]`
year nights="365":
    SWARM_NIGHTS={{nights}} cargo nextest run --features failpoints --test in_process year:: --success-output immediate

# Fuzz every reader of what hosts and files hold: so many minutes for each target
fuzz minutes="1":
    SWARM_FUZZ_SECONDS=$(( {{minutes}} * 60 )) cargo nextest run --lib fuzz:: --no-fail-fast --success-output immediate

# What is measured against a bar, beside what else would do the same: the rows of the table in the README, and more. It
# takes half an hour, root, 12 GB in the temporary directory, 1 GB below /dev/shm, and the machine for itself; beside ours
# run rsync, pssh, parallel and ansible where they are installed, and Portage's emaint where tests/lab/setup has been
bench:
    cargo build --release --locked --target-dir target/shipped
    SWARM_BENCH_PROGRAM=$PWD/target/shipped/release/swarm cargo bench --no-fail-fast --bench transfer --bench latency --bench exec --bench index --bench verify --bench idle --bench status --bench state --bench decide --bench release --bench monitor

# How far a standby is behind under ten 1 MB packages a second, and what catching up costs (needs root and sshd)
bench-standby:
    cargo bench --bench standby

# How long the lab's world takes by hand and with swarm, with and without clean rooms (needs root)
bench-lab seconds="30":
    benches/lab/wall {{seconds}}

# The gateway's answers and a large download beside nginx; needs wrk, nginx, curl and 600 MB in the temporary directory
bench-http rounds="5":
    benches/http/run {{rounds}}

# A static program, packed with manuals, completions, services and documents, and an ebuild for it: target/dist
dist *arguments:
    packaging/dist {{arguments}}
