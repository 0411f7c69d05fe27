//! A wall clock that a test steps, for one process: a library that is loaded before libc adds to what it tells. No right
//! is needed, and nothing outside changes. The monotonic clock is left alone, as a step leaves it.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use super::dir::Dir;

/// Seconds are read from a file in shared memory.
const SHIM: &str = "#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

static volatile long long *added;
static int (*real)(clockid_t, struct timespec *);

__attribute__((constructor)) static void begin(void) {
    int file = open(getenv(\"CLOCK_ADDED\"), O_RDONLY);
    added = mmap(0, sizeof *added, PROT_READ, MAP_SHARED, file, 0);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    if (!real)
        real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, \"clock_gettime\");
    int result = real(clock, now);
    if (clock == CLOCK_REALTIME && added)
        now->tv_sec += *added;
    return result;
}
";

/// The clock of every process that [`show`](Self::show) was told of.
pub(crate) struct Clock {
    dir: Dir,
}

impl Clock {
    /// As the machine's at first. Rust links with `cc`, so there is one.
    pub(crate) fn new() -> Self {
        let clock = Self { dir: Dir::new("clock") };
        let source = clock.dir.write("clock.c", SHIM);
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(clock.library()).arg(source).arg("-ldl");
        let built = compiler.status().expect("a C compiler");
        assert!(built.success(), "cc ended with {built}");
        clock.dir.write("added", "\0\0\0\0\0\0\0\0");
        clock
    }

    fn library(&self) -> PathBuf {
        self.dir.path().join("clock.so")
    }

    /// The program of this command sees the clock.
    pub(crate) fn show(&self, command: &mut Command) {
        command.env("LD_PRELOAD", self.library()).env("CLOCK_ADDED", self.dir.path().join("added"));
    }

    /// From now on it is so many seconds before or behind the machine's.
    pub(crate) fn step(&self, seconds: i64) {
        // In place: the process has mapped this very file.
        let mut file = File::options().write(true).open(self.dir.path().join("added")).expect("its own file");
        file.write_all(&seconds.to_ne_bytes()).expect("its own file");
    }
}
