//! What one measurement gave.

/// One measurement of one variant.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) requests: u64,
    pub(super) requests_per_second: f64,
    /// User and system time a request, of all threads.
    pub(super) cpu_us: f64,
    /// Its part in user space.
    pub(super) user_us: f64,
    pub(super) p50_us: u64,
    pub(super) p99_us: u64,
    pub(super) p999_us: u64,
    pub(super) peak_memory_kib: u64,
    /// Copies that went directly, after waiting, after their series were read; ours alone says so.
    pub(super) copies: Option<[u64; 3]>,
    /// System calls a request, where they can be counted.
    pub(super) system_calls: Option<f64>,
    /// Answers other than 200.
    pub(super) not_ok: u64,
    /// Whether requests and bytes at both clusters are what the clients sent.
    pub(super) all_arrived: bool,
    /// Copies that never arrived.
    pub(super) lost: u64,
    /// Share of the proxy's CPU that others took.
    pub(super) foreign: f64,
}

impl Sample {
    /// Whether the proxy did all of its work.
    pub(super) fn complete(&self) -> bool {
        self.all_arrived && self.not_ok == 0
    }

    /// One line of progress.
    pub(super) fn line(&self, name: &str) -> String {
        let Self { requests, requests_per_second, cpu_us, p50_us, p99_us, lost, foreign, .. } = self;
        let faults = if self.complete() {
            String::new()
        } else {
            format!(", FAULTY: {lost} copies lost, {} answers other than 200", self.not_ok)
        };
        let calls = self.system_calls.map_or_else(String::new, |calls| format!(", {calls:.1} system calls"));
        let copies = self.copies.map_or_else(String::new, |[direct, waited, read]| {
            format!(", copies {direct} direct, {waited} waited, {read} read")
        });
        format!(
            "{name}: {requests} requests, {requests_per_second:.0}/s, {cpu_us:.1} µs CPU each ({:.1} user){calls}, \
             p50 {p50_us} µs, p99 {p99_us} µs, {} KiB{copies}, others {:.0} % of its CPU{faults}",
            self.user_us,
            self.peak_memory_kib,
            foreign * 100.0
        )
    }
}

/// Requests and body bytes at one cluster.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Counts {
    pub(super) requests: u64,
    pub(super) body_bytes: u64,
}

pub(super) fn since(before: Counts, after: Counts) -> Counts {
    Counts { requests: after.requests - before.requests, body_bytes: after.body_bytes - before.body_bytes }
}

#[cfg(test)]
impl Sample {
    /// A complete measurement with this cost.
    pub(super) fn fixture(cpu_us: f64) -> Self {
        Self {
            requests: 1_000,
            requests_per_second: 500.0,
            cpu_us,
            user_us: cpu_us / 2.0,
            p50_us: 10,
            p99_us: 90,
            p999_us: 200,
            peak_memory_kib: 9_000,
            copies: None,
            system_calls: None,
            not_ok: 0,
            all_arrived: true,
            lost: 0,
            foreign: 0.0,
        }
    }
}
