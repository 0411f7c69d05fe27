//! `mimir-mirror backlog`: looking at a durable mirror's backlog, sending what is in it and emptying it, without the proxy.
//!
//! Enters: a directory, or a mirror of a configuration file. Leaves: text for standard output, or why there is none.
//! Looking changes nothing and works beside the proxy that uses the directory; emptying has it to itself.

mod drain;
mod json;
mod summary;
mod table;
mod words;

use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use backlog::fs::RealFs;
use backlog::inspect::{Inspection, inspect};
use backlog::{Backlog, Options, name_hash};
use config::model::{Config, Delivery};

use crate::cli;
use crate::stats::mirror::unix_ms;

/// Does what the command says and returns what it has to tell. Its errors say all in their first line.
pub(crate) fn run(command: &cli::Backlog) -> anyhow::Result<String> {
    match &command.action {
        cli::BacklogAction::Inspect { which, verify, json } => {
            let target = Target::of(which)?;
            let found = look(&target.directory, *verify)?;
            let page = Page { target: &target, found: &found, verified: *verify };
            Ok(if *json { json::print(&page) } else { table::print(&page, unix_ms()) })
        }
        cli::BacklogAction::Drain(command) => drain::run(command),
        cli::BacklogAction::Drop { which, yes } => drop_all(&Target::of(which)?, *yes),
    }
}

/// Whose backlog.
struct Target {
    directory: PathBuf,
    /// The mirror's name, if a configuration told it.
    mirror: Option<String>,
}

/// What there is to show.
struct Page<'a> {
    target: &'a Target,
    found: &'a Inspection,
    verified: bool,
}

impl Target {
    fn of(which: &cli::Which) -> anyhow::Result<Self> {
        match (&which.directory, &which.config_path, &which.mirror) {
            (Some(directory), _, _) => Ok(Self { directory: directory.clone(), mirror: None }),
            (None, Some(file), Some(mirror)) => Ok(Self::of_mirror(&load(file)?, file, mirror)?.1),
            _ => bail!("name the backlog's directory, or its mirror: -c FILE --mirror NAME"),
        }
    }

    /// The mirror of this name, with its index in the configuration.
    fn of_mirror(config: &Config, file: &Path, name: &str) -> anyhow::Result<(usize, Self)> {
        let mut mirrors = config.mirrors.iter().enumerate();
        let Some((index, mirror)) = mirrors.find(|(_, mirror)| mirror.name == name) else {
            let names: Vec<&str> = config.mirrors.iter().map(|mirror| mirror.name.as_str()).collect();
            bail!("'{}' has no mirror `{name}`, but {}", file.display(), words::listed(&names, "mirror"));
        };
        match &mirror.delivery {
            Delivery::Durable(backlog) => {
                let (directory, mirror) = (backlog.path.clone(), Some(mirror.name.clone()));
                Ok((index, Self { directory, mirror }))
            }
            Delivery::Memory => {
                bail!("the mirror `{name}` has no backlog: it is not set to `delivery: durable`")
            }
        }
    }

    /// An error while a process uses it.
    fn is_free(&self, found: &Inspection) -> anyhow::Result<()> {
        if found.in_use {
            bail!("{} is in use by another process: stop the proxy first", self.directory.display());
        }
        Ok(())
    }

    /// The hash that stands for the mirror in its files.
    fn owner(&self, found: &Inspection) -> anyhow::Result<u64> {
        let directory = self.directory.display();
        let named = self.mirror.as_deref().map(name_hash);
        match (named, found.mirrors.as_slice()) {
            (Some(named), owners) if owners.is_empty() || owners.contains(&named) => Ok(named),
            (Some(_), _) => bail!("{directory} is the backlog of another mirror"),
            (None, [owner]) => Ok(*owner),
            (None, []) => {
                bail!(
                    "the files in {directory} do not say whose they are: name the mirror with -c and --mirror"
                )
            }
            (None, _) => {
                bail!("{directory} has files of more than one mirror: name the one with -c and --mirror")
            }
        }
    }
}

fn load(file: &Path) -> anyhow::Result<Config> {
    let input = config::Input { path: Some(file.to_owned()), ..config::Input::default() };
    config::load(&input)
        .map_err(|error| anyhow!("error initializing configuration '{}': {error}", file.display()))
}

fn look(directory: &Path, verify: bool) -> anyhow::Result<Inspection> {
    inspect(&RealFs, directory, verify).map_err(|error| anyhow!("{error}"))
}

/// Lets go of every copy. Anything that is not the mirror's stays.
fn drop_all(target: &Target, yes: bool) -> anyhow::Result<String> {
    let directory = target.directory.display();
    let found = look(&target.directory, false)?;
    target.is_free(&found)?;
    let all = summary::Summary::of(&found);
    if all.copies == 0 && found.unreadable.is_empty() {
        return Ok(format!("nothing to drop: {directory} holds no copies\n"));
    }
    let mirror = target.owner(&found)?;
    if !yes {
        bail!("{} would be dropped from {directory}; with --yes they are", all.copies_text());
    }
    let options = Options { mirror, ..Options::new("") };
    let (mut backlog, recovery) =
        Backlog::open(&target.directory, options, RealFs).map_err(|error| anyhow!("{error}"))?;
    let dropped = backlog.clear().map_err(|error| {
        anyhow!("{error}: some copies may come back, so run it again when that is mended")
    })?;
    let said = format!("dropped {} from {directory}", words::counted(dropped, "copy", "copies"));
    if !recovery.unreadable.is_empty() {
        bail!("{said}; {} could not be read and stay", words::segments(&recovery.unreadable));
    }
    Ok(match recovery.foreign.len() as u64 {
        0 => said + "\n",
        others => format!("{said}; {} not of this backlog stay\n", words::counted(others, "file", "files")),
    })
}
