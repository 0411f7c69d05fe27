//! What the kernel counts: CPU time of a process and of a CPU, memory of a process, what machine this is.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::{self, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::shell;

/// Length of the clock tick that /proc counts in: 1/100 s, fixed in the kernel's interface to programs.
const TICK: Duration = Duration::from_millis(10);

/// CPU time of a process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct CpuTime {
    pub(super) user: Duration,
    pub(super) system: Duration,
}

impl CpuTime {
    pub(super) fn since(self, before: Self) -> Self {
        Self {
            user: self.user.saturating_sub(before.user),
            system: self.system.saturating_sub(before.system),
        }
    }

    pub(super) fn both(self) -> Duration {
        self.user + self.system
    }
}

/// Of a process with all its threads so far.
pub(super) fn cpu_time(pid: u32) -> Result<CpuTime> {
    let stat = read(&format!("/proc/{pid}/stat"))?;
    stat_cpu_time(&stat).with_context(|| format!("unknown form of /proc/{pid}/stat: {stat}"))
}

fn stat_cpu_time(stat: &str) -> Option<CpuTime> {
    // The second field is the name in brackets and may hold anything; after it come fields 3, 4, …
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    Some(CpuTime { user: TICK * user, system: TICK * system })
}

/// System calls of a process with all its threads while `during` runs; nothing where perf cannot count them.
pub(super) fn system_calls<T>(pid: u32, during: impl FnOnce() -> Result<T>) -> Result<(Option<u64>, T)> {
    let mut perf = Command::new("perf");
    perf.args(["stat", "-x", ",", "-e", "raw_syscalls:sys_enter", "-p", &pid.to_string()]);
    let Ok(perf) = perf.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn() else {
        return Ok((None, during()?));
    };
    // It attaches within milliseconds and offers no sign of it; a run is hundreds of them.
    super::proxy::pause(Duration::from_millis(50));
    let outcome = during();
    let id = i32::try_from(perf.id())?;
    shell::output(Command::new("kill").args(["-INT", &id.to_string()]))?;
    let printed = perf.wait_with_output()?;
    Ok((counted(&String::from_utf8_lossy(&printed.stderr)), outcome?))
}

/// The first field of perf's line: `1234,,raw_syscalls:sys_enter,...`.
fn counted(printed: &str) -> Option<u64> {
    printed.lines().find(|line| line.contains("raw_syscalls"))?.split(',').next()?.parse().ok()
}

/// Time that CPU 0 has spent on programs or lost to the host. Interrupts are left out: on loopback they are the
/// proxy's own packets, which some kernels charge to no process.
pub(super) fn proxy_cpu_busy() -> Result<Duration> {
    let stat = read("/proc/stat")?;
    busy(&stat).context("unknown form of /proc/stat")
}

fn busy(stat: &str) -> Option<Duration> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu0 "))?;
    let fields: Vec<u32> = line.split_ascii_whitespace().map_while(|field| field.parse().ok()).collect();
    let [user, nice, system, _idle, _wait, _hard, _soft, steal, ..] = *fields.as_slice() else { return None };
    Some(TICK * (user + nice + system + steal))
}

/// Most memory a process has had resident so far, in KiB.
pub(super) fn peak_memory_kib(pid: u32) -> Result<u64> {
    status_kib(pid, "VmHWM:")
}

/// Memory a process has resident now, in KiB.
pub(super) fn memory_kib(pid: u32) -> Result<u64> {
    status_kib(pid, "VmRSS:")
}

fn status_kib(pid: u32, field: &str) -> Result<u64> {
    let status = read(&format!("/proc/{pid}/status"))?;
    let value = status
        .lines()
        .find_map(|line| line.strip_prefix(field))
        .and_then(|rest| rest.split_ascii_whitespace().next()?.parse().ok());
    value.with_context(|| format!("no {field} in /proc/{pid}/status"))
}

/// CPUs that this machine has.
pub(super) fn cpus() -> usize {
    read("/proc/cpuinfo").map(|info| info.matches("processor\t").count()).unwrap_or_default().max(1)
}

/// One line on the machine: CPUs, their model, the kernel, the compiler.
pub(super) fn machine() -> String {
    let info = read("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown CPU", |(_, model)| model.trim());
    let kernel = read("/proc/sys/kernel/osrelease").unwrap_or_default();
    let compiler = shell::output(&mut shell::command("rustc", &["--version"])).unwrap_or_default();
    let compiler = compiler.split_once(" (").map_or(compiler.as_str(), |(version, _)| version);
    format!("{} × {model}, Linux {}, {compiler}", cpus(), kernel.trim())
}

/// Moves this process, and what it starts from now on, to one CPU.
pub(super) fn pin_this_process(cpu: &str) -> Result<()> {
    let mut command = Command::new("taskset");
    shell::output(command.args(["-cp", cpu, &process::id().to_string()])).map(drop)
}

/// Cargo's target folder: the one this program was built into.
pub(super) fn target_folder() -> Result<PathBuf> {
    let program = env::current_exe()?;
    let folder = program.ancestors().nth(2).context("xtask does not run from a target folder")?;
    Ok(folder.to_owned())
}

fn read(file: &str) -> Result<String> {
    fs::read_to_string(file).with_context(|| format!("cannot read {file}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_user_and_system_whatever_the_name() {
        let stat = "7 (a) (b 9) S 1 7 7 0 -1 4194304 10 0 0 0 250 125 99 99 20 0 1 0 5 1 1\n";
        let time = stat_cpu_time(stat).unwrap();
        assert_eq!(time, CpuTime { user: Duration::from_millis(2500), system: Duration::from_millis(1250) });
        assert_eq!(time.both(), Duration::from_millis(3750));
        assert_eq!(stat_cpu_time("7 (a) S 1"), None);
    }

    #[test]
    fn a_cpu_is_busy_with_programs_and_with_the_hosts_other_guests() {
        let stat =
            "cpu  9 9 9 9 9 9 9 9 9 9\ncpu0 100 20 30 999 888 777 666 5 0 0\ncpu1 1 1 1 1 1 1 1 1 1 1\n";
        assert_eq!(busy(stat), Some(Duration::from_millis(1550)));
        assert_eq!(busy("cpu0 1 2\n"), None);
    }

    #[test]
    fn perf_says_how_many_calls_there_were() {
        assert_eq!(counted("1234,,raw_syscalls:sys_enter,1,100.00,,\n"), Some(1234));
        assert_eq!(counted("<not counted>,,raw_syscalls:sys_enter,0,0.00,,\n"), None);
        assert_eq!(counted("no permission\n"), None);
    }

    #[test]
    fn this_process_has_figures() {
        assert!(cpu_time(process::id()).is_ok());
        assert!(memory_kib(process::id()).unwrap() > 0);
        assert!(peak_memory_kib(process::id()).unwrap() >= memory_kib(process::id()).unwrap() / 2);
        assert!(cpus() >= 1);
    }
}
