//! Request mirroring for Grafana Mimir: every request goes to the primary cluster, whose answer the client gets; a
//! copy goes in the background to each mirror.
//!
//! Modules stand in the order in which a request meets them; ARCHITECTURE.md walks through them.

mod cli;
mod control;
mod offline;

mod descriptors;
mod lifecycle;
mod limits;
mod log;
mod paths;
mod signals;

mod worker;

mod server;

mod route;

mod exchange;

mod mirror;

mod upstream;

mod cluster;

mod tls;

mod access_log;
mod format;

mod deadline;
mod executor;
mod files;
mod sockets;
mod stats;
mod terminal;

mod admin;
mod demo;
mod status;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command, Convert, Mode, Serve, Spelling};

/// Read buffers of tens of kilobytes come and go with every request, which glibc's allocator serves off its slow path.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(message) => {
            // Help and version are no errors; what is one exits with 1, as Envoy does.
            let _ = message.print();
            return ExitCode::from(u8::from(message.use_stderr()));
        }
    };
    if cli.version {
        return say(&cli::version());
    }
    match cli.command {
        Some(Command::Convert(convert)) => print_converted(&convert),
        Some(Command::Backlog(command)) => match offline::run(&command) {
            Ok(text) => say(&text),
            Err(error) => fail(&format!("backlog: {error}")),
        },
        Some(Command::Status(command)) => match status::run(&command) {
            Ok(code) => code,
            Err(error) => fail(&format!("status: {error:#}")),
        },
        Some(Command::Demo(options)) => run_demo(options),
        None => serve(cli.serve),
    }
}

fn serve(flags: Serve) -> ExitCode {
    // Clearing a huge page takes hundreds of microseconds to milliseconds, in the middle of whose request it is. Small
    // ones cost each request its own. Where the kernel knows no such switch there is nothing to switch off.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    if flags.restart.hot_restart_version {
        let version =
            if flags.restart.disable_hot_restart { "disabled" } else { lifecycle::HOT_RESTART_VERSION };
        // Envoy prints this to standard error.
        complain(version);
        return ExitCode::SUCCESS;
    }
    let origin = flags.origin();
    if let Some(contradiction) = flags.contradiction() {
        return fail(&format!("error: {contradiction}"));
    }
    let watch = flags.config_path.clone().filter(|_| flags.watch).map(control::Watch::new);
    let config = match flags.load() {
        Ok(config) => config,
        Err(error) => return fail(&format!("error initializing configuration '{origin}': {error}")),
    };
    if flags.mode == Mode::Validate {
        for warning in &config.warnings {
            complain(warning);
        }
        if let Err(error) = tls::check(config) {
            return fail(&format!("error initializing configuration '{origin}': {error:#}"));
        }
        return say(&format!("configuration '{origin}' OK\n"));
    }
    let loggers = match log::init(flags.log()) {
        Ok(loggers) => loggers,
        Err(error) => return fail(&format!("Failed to open log-file '{}': {error}", flags.log_file())),
    };
    match control::run(flags, config, watch, loggers) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn print_converted(convert: &Convert) -> ExitCode {
    let file = convert.file.display();
    let input = config::Input { path: Some(convert.file.clone()), ..config::Input::default() };
    let config = match config::load(&input) {
        Ok(config) => config,
        Err(error) => return fail(&format!("error initializing configuration '{file}': {error}")),
    };
    let printed = match convert.to {
        Spelling::Native => config::convert::to_native(&config),
        Spelling::EnvoyV3 => config::convert::to_envoy_v3(&config),
    };
    match printed {
        Ok(text) => say(&text),
        Err(error) => fail(&format!("'{file}' cannot be converted: {error}")),
    }
}

fn run_demo(options: demo::Options) -> ExitCode {
    match demo::run(options) {
        Ok(code) => code,
        Err(error) => fail(&format!("demo: {error:#}")),
    }
}

fn say(text: &str) -> ExitCode {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn complain(text: &str) {
    // With standard error closed there is nobody left to tell.
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn fail(text: &str) -> ExitCode {
    complain(text);
    ExitCode::FAILURE
}
