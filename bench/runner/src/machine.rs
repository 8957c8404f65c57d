//! The machine: its cores, who runs where, and who else has used it.

use std::{fs, path::Path};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::Failure;

/// Time of processors in nanoseconds.
pub(crate) type Ns = u64;

/// A tick of `/proc/stat` (proc(5): `USER_HZ` is 100 everywhere that Linux runs this program).
const TICK_NS: Ns = 10_000_000;

/// The two cores that are used.
#[derive(Clone, Copy)]
pub(crate) struct Cores {
    pub(crate) server: usize,
    pub(crate) load: usize,
}

impl Cores {
    /// The first two that this process may use. The load gets the first, where interrupts mostly are.
    pub(crate) fn choose() -> Result<Self, Failure> {
        let allowed = sched_getaffinity(None)?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core));
        match (cores.next(), cores.next()) {
            (Some(load), Some(server)) => Ok(Cores { server, load }),
            _ => Err("two cores are needed, one for the server and one for the load".into()),
        }
    }
}

/// Lets this thread, and what it starts from now on, run on that core alone.
pub(crate) fn run_on(core: usize) -> Result<(), Failure> {
    let mut set = CpuSet::new();
    set.set(core);
    Ok(sched_setaffinity(None, &set)?)
}

/// Time that all threads of a process have used.
pub(crate) fn process_time(pid: u32) -> Result<Ns, Failure> {
    let mut sum = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread may end while it is looked at.
        sum += thread_time(&task?.path()).unwrap_or(0);
    }
    Ok(sum)
}

/// Time that this thread has used.
pub(crate) fn own_time() -> Result<Ns, Failure> {
    thread_time(Path::new("/proc/thread-self"))
}

fn thread_time(directory: &Path) -> Result<Ns, Failure> {
    let text = fs::read_to_string(directory.join("schedstat"))?;
    let ran = text.split(' ').next().ok_or("schedstat is empty")?;
    Ok(ran.parse()?)
}

/// Time that the cores were at work for anybody, other machines on the same hardware included.
pub(crate) fn busy_time() -> Result<Ns, Failure> {
    let text = fs::read_to_string("/proc/stat")?;
    let line = text.lines().next().and_then(|line| line.strip_prefix("cpu ")).ok_or("/proc/stat has no such line")?;
    let fields = line.split_whitespace().map(str::parse).collect::<Result<Vec<Ns>, _>>()?;
    // user, nice, system, idle, iowait, irq, softirq, steal (proc(5))
    let ticks: Ns = [0, 1, 2, 5, 6, 7].iter().filter_map(|&index| fields.get(index)).sum();
    Ok(ticks * TICK_NS)
}

/// What this machine is, for a person.
pub(crate) fn description() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let of = |name: &str| {
        let line = cpu.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(": ")).map_or("unknown", |(_, value)| value).to_owned()
    };
    let cores = cpu.lines().filter(|line| line.starts_with("processor")).count();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernel = kernel.split(['-', '\n']).next().unwrap_or_default().to_owned();
    let machine = if cpu.contains(" hypervisor") { "virtual machine" } else { "machine" };
    format!("{machine} with {cores} cores of {}, Linux {kernel}", of("model name"))
}
