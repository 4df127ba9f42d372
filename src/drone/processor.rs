//! What `-march=native` means on a host: its processor, as /proc/cpuinfo has it.
//!
//! A compiler that is told `native` builds for the processor that it runs on. So such a package is the driver's only
//! where the drone has the same one; elsewhere it may end in an illegal instruction, or be slower than it should.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::plan::Plan;
use crate::ssh::{Host, HostError, HostErrorKind, Script};

/// What begins each line of ours.
const MARK: &str = "SWARM-CPU:";
/// The first processor's lines.
const SCRIPT: &str = r#"sed -n "/^[[:blank:]]*$/q; s/^/$mark/p" /proc/cpuinfo"#;
/// What tells one kind of processor from another: on x86, on ARM, on POWER, on RISC-V.
const KIND: [&str; 11] = [
    "vendor_id",
    "cpu family",
    "model",
    "CPU implementer",
    "CPU architecture",
    "CPU variant",
    "CPU part",
    "cpu",
    "isa",
    "uarch",
    "machine",
];
/// Where the kernel lists what it can do: on x86 and on ARM.
const FEATURES: [&str; 2] = ["flags", "Features"];
/// Beginnings of those x86 flags that are instructions a compiler may use. The others tell of the kernel, of the machine
/// around the processor or of its faults, and differ between equal processors.
const INSTRUCTIONS: &str = "3dnow abm adx aes amx apx avx bmi cldemote clflushopt clwb clzero cmov cmpccxadd cx16 cx8 \
    enqcmd f16c fma fpu fsgsbase fxsr gfni hle lahf_lm lwp mmx movbe movdir mwaitx pclmulqdq pku pni popcnt prefetch \
    ptwrite rdpid rdrand rdseed rtm serialize sha sm3 sm4 sse ssse3 tbm vaes vpclmulqdq xop xsave";
/// Differences named in a reason; the rest is counted.
const NAMED: usize = 6;

/// The plan's first setting that leaves the processor to the machine that compiles, as `CFLAGS has -march=native`.
pub fn native_setting(plan: &Plan) -> Option<String> {
    let settings = plan.packages.iter().flat_map(|package| package.identity.compiler.iter());
    settings
        .flat_map(|(key, value)| value.split_whitespace().map(move |word| (key, word)))
        .find(|(_, word)| word.ends_with("=native"))
        .map(|(key, word)| format!("{key} has {word}"))
}

/// A kind of processor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Processor {
    kind: BTreeMap<String, String>,
    instructions: BTreeSet<String>,
}

impl Processor {
    /// Asks a host for its processor.
    ///
    /// # Errors
    /// It cannot be reached, or does not say.
    pub async fn of(host: &dyn Host) -> Result<Self, HostError> {
        let output = host.run(&Script::new(SCRIPT).set("mark", MARK)).await?;
        Self::parse(&String::from_utf8_lossy(&output.stdout)).ok_or_else(|| {
            let message = "its /proc/cpuinfo does not say which processor it has";
            HostError::new(host.name(), HostErrorKind::Failed, message)
        })
    }

    fn parse(stdout: &str) -> Option<Self> {
        let (mut kind, mut instructions) = (BTreeMap::new(), BTreeSet::new());
        for line in stdout.lines().filter_map(|line| line.strip_prefix(MARK)) {
            let Some((key, value)) = line.split_once(':') else { continue };
            let (key, value) = (key.trim(), value.trim());
            if KIND.contains(&key) {
                kind.insert(key.to_owned(), value.to_owned());
            } else if FEATURES.contains(&key) {
                let known = |flag: &str| INSTRUCTIONS.split(' ').any(|beginning| flag.starts_with(beginning));
                let of_use = |flag: &&str| key != "flags" || known(flag);
                instructions.extend(value.split_whitespace().filter(of_use).map(str::to_owned));
            }
        }
        (!kind.is_empty()).then_some(Self { kind, instructions })
    }

    /// In what a drone's processor differs from this one, the driver's; none where it does not.
    pub fn difference(&self, drone: &Self) -> Option<String> {
        let keys: BTreeSet<&String> = self.kind.keys().chain(drone.kind.keys()).collect();
        let value = |processor: &Self, key: &str| processor.kind.get(key).cloned().unwrap_or_else(|| "none".to_owned());
        let kinds = keys.into_iter().filter(|key| self.kind.get(*key) != drone.kind.get(*key));
        let kinds = kinds.map(|key| format!("{key} {} there, {} on the driver", value(drone, key), value(self, key)));
        let more = drone.instructions.difference(&self.instructions).map(|flag| format!("+{flag}"));
        let less = self.instructions.difference(&drone.instructions).map(|flag| format!("-{flag}"));
        let all: Vec<String> = kinds.chain(more).chain(less).collect();
        let named = all.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
        match all.len().saturating_sub(NAMED) {
            0 if all.is_empty() => None,
            0 => Some(named),
            rest => Some(format!("{named} and {rest} more")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AMD: &str = "Welcome!\nSWARM-CPU:processor\t: 0\nSWARM-CPU:vendor_id\t: AuthenticAMD\n\
        SWARM-CPU:cpu family\t: 25\nSWARM-CPU:model\t\t: 97\nSWARM-CPU:model name\t: AMD Ryzen 9\n\
        SWARM-CPU:flags\t\t: fpu sse sse2 avx2 avx512f hypervisor ibrs\n";

    fn amd(change: (&str, &str)) -> Processor {
        Processor::parse(&AMD.replace(change.0, change.1)).unwrap()
    }

    #[test]
    fn processors_differ_in_what_a_compiler_uses_and_in_nothing_else() {
        let driver = amd(("", ""));
        for (change, difference) in [
            (("AMD Ryzen 9", "AMD Ryzen 7"), None),
            ((" hypervisor ibrs", " stibp"), None),
            (("model\t\t: 97", "model\t\t: 33"), Some("model 33 there, 97 on the driver")),
            (("AuthenticAMD", "GenuineIntel"), Some("vendor_id GenuineIntel there, AuthenticAMD on the driver")),
            ((" avx512f", ""), Some("-avx512f")),
            ((" avx2", " avx2 fma"), Some("+fma")),
            ((" avx2", " avx2 fma f16c bmi1 bmi2 movbe popcnt aes"), Some(" and 1 more")),
        ] {
            let found = driver.difference(&amd(change));
            match difference {
                None => assert_eq!(found, None, "{change:?}"),
                Some(part) => {
                    assert!(found.as_ref().is_some_and(|found| found.contains(part)), "{change:?}: {found:?}")
                }
            }
        }
    }

    #[test]
    fn an_arm_processor_is_known_by_its_parts() {
        let arm = |part: &str| {
            let text = format!("{MARK}CPU implementer\t: 0x41\n{MARK}CPU part\t: {part}\n{MARK}Features\t: fp asimd\n");
            Processor::parse(&text).unwrap()
        };
        assert_eq!(arm("0xd0c").difference(&arm("0xd0c")), None);
        assert_eq!(arm("0xd0c").difference(&arm("0xd40")).unwrap(), "CPU part 0xd40 there, 0xd0c on the driver");
        assert_eq!(Processor::parse("bogomips: 1"), None);
    }

    #[test]
    fn the_script_finds_the_processor_of_this_machine() {
        let script = Script::new(SCRIPT).set("mark", MARK);
        let output = std::process::Command::new("/bin/sh").args(["-c", &script.text()]).output().unwrap();
        assert!(Processor::parse(&String::from_utf8(output.stdout).unwrap()).is_some());
    }
}
