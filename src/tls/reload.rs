//! The files of certificates and keys: read at the start, looked at every few seconds, read again when one has changed.
//! Runs on the control thread, which lets a thread of its own touch the disk.
//!
//! What cannot be used is refused as a whole, for that listener or cluster: the old certificates go on, the log says
//! why, and the next change is tried again.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use config::model::{Certificate, ClientCertificates, Config, DataSource, ListenerTls, Trust, Verification};
use rustls::RootCertStore;
use tokio::sync::{mpsc, watch};

use super::client::Failure;
use super::describe::{self, Context};
use super::{Client, Materials, Server, load};
use crate::files::Seen;
use crate::limits;
use crate::stats::Stats;

/// Failures that wait for the log.
const FAILURES: usize = 16;
/// Shortest time between two lines about the same cluster.
const QUIET: Duration = Duration::from_secs(10);

/// Everything that was loaded, and what it was loaded from.
#[derive(Debug)]
pub(crate) struct Store {
    config: Arc<Config>,
    system: Option<Arc<RootCertStore>>,
    failures: mpsc::Sender<Failure>,
    watched: Vec<Watched>,
    materials: Materials,
    described: Vec<Vec<Context>>,
}

/// Whose certificates are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    All,
    /// For whoever sends and does not listen.
    Clusters,
}

/// Who uses certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum User {
    Listener(usize),
    Cluster(usize),
    Admin,
}

/// The files of one listener or cluster, as they were when they were read.
#[derive(Debug)]
struct Watched {
    user: User,
    files: Vec<(PathBuf, Seen)>,
}

impl Watched {
    /// Whether a file is another one than before; from now on it is as it is.
    fn has_changed(&mut self) -> bool {
        let mut changed = false;
        for (path, seen) in &mut self.files {
            let now = Seen::look(path);
            changed |= now != *seen;
            *seen = now;
        }
        changed
    }
}

/// Where to read what is in force.
#[derive(Debug, Clone)]
pub(crate) struct Published {
    pub(crate) materials: watch::Receiver<Arc<Materials>>,
    /// What `/certs` shows.
    pub(crate) described: watch::Receiver<Arc<[Context]>>,
}

impl Store {
    /// Reads everything.
    ///
    /// # Errors
    /// A file that is missing, no PEM, or a key that does not belong to its certificate.
    pub(crate) fn load(config: &Arc<Config>, wanted: Wanted) -> anyhow::Result<(Self, Failures)> {
        let (sender, failures) = mpsc::channel(FAILURES);
        let mut store = Self {
            config: Arc::clone(config),
            system: needs_system(config).then(load::system_roots).transpose()?,
            failures: sender,
            watched: Vec::new(),
            materials: Materials::default(),
            described: Vec::new(),
        };
        store.materials.listeners = config.listeners.iter().map(|_| None).collect();
        store.materials.clusters = config.clusters.iter().map(|_| None).collect();
        let clusters = (0..config.clusters.len()).map(User::Cluster);
        let all = wanted == Wanted::All;
        let listeners = if all { config.listeners.len() } else { 0 };
        let admin = all.then_some(User::Admin);
        for user in clusters.chain((0..listeners).map(User::Listener)).chain(admin) {
            let files = store.files(user);
            // Looked at before it is read: a change in between is seen at the next look.
            let files = files.into_iter().map(|path| (path.clone(), Seen::look(&path))).collect();
            store.read(user)?;
            store.watched.push(Watched { user, files });
            store.described.push(Vec::new());
        }
        store.describe_all();
        Ok((store, Failures { failures, said: HashMap::new() }))
    }

    fn files(&self, user: User) -> Vec<PathBuf> {
        load::files(self.sources(user).into_iter())
    }

    fn sources(&self, user: User) -> Vec<&DataSource> {
        match user {
            User::Listener(index) => {
                let tls = self.config.listeners.get(index).and_then(|listener| listener.tls.as_ref());
                tls.map(sources_of_listener).unwrap_or_default()
            }
            User::Admin => admin_tls(&self.config).map(sources_of_listener).unwrap_or_default(),
            User::Cluster(index) => {
                let tls = self.config.clusters.get(index).and_then(|cluster| cluster.tls.as_ref());
                let of = tls.map(|tls| sources(tls.certificate.as_slice(), Some(&tls.verification)));
                of.unwrap_or_default()
            }
        }
    }

    fn read(&mut self, user: User) -> anyhow::Result<()> {
        match user {
            User::Listener(index) => {
                let Some(listener) = self.config.listeners.get(index) else { return Ok(()) };
                let Some(tls) = &listener.tls else { return Ok(()) };
                let server = Server::load(tls, &self.system);
                let server = server.with_context(|| format!("TLS of listener {}", listener.name))?;
                if let Some(place) = self.materials.listeners.get_mut(index) {
                    *place = Some(Arc::new(server));
                }
            }
            User::Admin => {
                let Some(tls) = admin_tls(&self.config) else { return Ok(()) };
                let server = Server::load(tls, &self.system).context("TLS of the admin")?;
                self.materials.admin = Some(Arc::new(server));
            }
            User::Cluster(index) => {
                let Some(cluster) = self.config.clusters.get(index) else { return Ok(()) };
                let Some(tls) = &cluster.tls else { return Ok(()) };
                let client = Client::load(cluster, tls, &self.system, &self.failures);
                let client = client.with_context(|| format!("TLS of cluster {}", cluster.name))?;
                if let Some(place) = self.materials.clusters.get_mut(index) {
                    *place = Some(Arc::new(client));
                }
            }
        }
        Ok(())
    }

    fn describe(&self, user: User) -> Vec<Context> {
        match user {
            User::Listener(index) => {
                let tls = self.config.listeners.get(index).and_then(|listener| listener.tls.as_ref());
                tls.map(describe::listener).unwrap_or_default()
            }
            User::Admin => admin_tls(&self.config).map(describe::listener).unwrap_or_default(),
            User::Cluster(index) => {
                let tls = self.config.clusters.get(index).and_then(|cluster| cluster.tls.as_ref());
                tls.map(describe::cluster).into_iter().collect()
            }
        }
    }

    fn describe_all(&mut self) {
        for index in 0..self.watched.len() {
            let Some(user) = self.watched.get(index).map(|watched| watched.user) else { continue };
            let described = self.describe(user);
            if let Some(place) = self.described.get_mut(index) {
                *place = described;
            }
        }
    }

    fn snapshot(&self) -> (Arc<Materials>, Arc<[Context]>) {
        let Materials { listeners, clusters, admin } = &self.materials;
        let materials =
            Materials { listeners: listeners.clone(), clusters: clusters.clone(), admin: admin.clone() };
        (Arc::new(materials), self.described.iter().flatten().cloned().collect())
    }

    /// What is loaded, for a process that does not live long enough for it to change.
    pub(crate) fn unchanging(&self) -> watch::Receiver<Arc<Materials>> {
        watch::channel(self.snapshot().0).1
    }

    fn has_files(&self) -> bool {
        self.watched.iter().any(|watched| !watched.files.is_empty())
    }

    /// Reads again what has changed. Returns how many listeners and clusters have new certificates, and how many could
    /// not be given any.
    fn look(&mut self) -> (u64, u64) {
        let (mut renewed, mut refused) = (0, 0);
        let mut changed = Vec::new();
        for (index, watched) in self.watched.iter_mut().enumerate() {
            if watched.has_changed() {
                changed.push((index, watched.user));
            }
        }
        for (index, user) in changed {
            match self.read(user) {
                Ok(()) => {
                    renewed += 1;
                    let described = self.describe(user);
                    if let Some(place) = self.described.get_mut(index) {
                        *place = described;
                    }
                    tracing::info!(of = self.name(user), "new certificates are in use");
                }
                Err(error) => {
                    refused += 1;
                    let error = format!("{error:#}");
                    tracing::error!(error, "new certificates are refused; the old ones stay in use");
                }
            }
        }
        (renewed, refused)
    }

    fn name(&self, user: User) -> String {
        match user {
            User::Listener(index) => self.config.listeners.get(index).map_or("", |listener| &listener.name),
            User::Cluster(index) => self.config.clusters.get(index).map_or("", |cluster| &cluster.name),
            User::Admin => "admin",
        }
        .to_owned()
    }

    /// Publishes what is loaded, and looks at the files from now on. Must be called on the control thread's runtime.
    pub(crate) fn publish(self, stats: &Arc<Stats>) -> Published {
        let (materials, described) = self.snapshot();
        let (materials, of_materials) = watch::channel(materials);
        let (described, of_described) = watch::channel(described);
        if self.has_files() {
            tokio::spawn(follow(self, materials, described, Arc::clone(stats)));
        }
        Published { materials: of_materials, described: of_described }
    }
}

async fn follow(
    mut store: Store,
    materials: watch::Sender<Arc<Materials>>,
    described: watch::Sender<Arc<[Context]>>,
    stats: Arc<Stats>,
) {
    loop {
        tokio::time::sleep(limits::CERTIFICATES_LOOK).await;
        // A disk that hangs must not stop the control thread.
        let looked = tokio::task::spawn_blocking(move || {
            let found = store.look();
            (store, found)
        });
        let Ok((back, (renewed, refused))) = looked.await else { return };
        store = back;
        stats.control.certificates_renewed.add(renewed);
        stats.control.certificates_refused.add(refused);
        if renewed > 0 {
            let (new, texts) = store.snapshot();
            materials.send_replace(new);
            described.send_replace(texts);
        }
    }
}

fn admin_tls(config: &Config) -> Option<&ListenerTls> {
    config.admin.as_ref()?.access.tls.as_ref()
}

/// Whether any certificate is verified against the system's CAs.
fn needs_system(config: &Config) -> bool {
    let clusters = config.clusters.iter().filter_map(|cluster| cluster.tls.as_ref());
    let chains =
        config.listeners.iter().filter_map(|listener| listener.tls.as_ref()).chain(admin_tls(config));
    let clients = chains.flat_map(|tls| &tls.chains).filter_map(|chain| verification(&chain.context.clients));
    clusters
        .map(|tls| &tls.verification)
        .chain(clients)
        .any(|verification| verification.trust == Trust::System)
}

fn verification(clients: &ClientCertificates) -> Option<&Verification> {
    match clients {
        ClientCertificates::Ignored => None,
        ClientCertificates::Optional(verification) | ClientCertificates::Required(verification) => {
            Some(verification)
        }
    }
}

fn sources_of_listener(tls: &ListenerTls) -> Vec<&DataSource> {
    let contexts = tls.chains.iter().map(|chain| &chain.context);
    contexts.flat_map(|tls| sources(&tls.certificates, verification(&tls.clients))).collect()
}

fn sources<'a>(
    certificates: &'a [Certificate],
    verification: Option<&'a Verification>,
) -> Vec<&'a DataSource> {
    let ca = match verification.map(|verification| &verification.trust) {
        Some(Trust::Ca(source)) => Some(source),
        _ => None,
    };
    certificates.iter().flat_map(|certificate| [&certificate.chain, &certificate.key]).chain(ca).collect()
}

/// Handshakes with clusters that failed, on their way to the log.
#[derive(Debug)]
pub(crate) struct Failures {
    failures: mpsc::Receiver<Failure>,
    said: HashMap<Arc<str>, Instant>,
}

impl Failures {
    /// Says of each cluster now and then why its handshakes fail. Runs on the control thread.
    pub(crate) async fn tell(mut self) {
        while let Some(Failure { cluster, reason, remedy }) = self.failures.recv().await {
            if self.said.get(&cluster).is_some_and(|at| at.elapsed() < QUIET) {
                continue;
            }
            self.said.insert(Arc::clone(&cluster), Instant::now());
            tracing::warn!(%cluster, reason, remedy, "the TLS handshake failed");
        }
    }
}
