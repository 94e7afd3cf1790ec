//! The server: listeners, one task a connection, and the graceful stop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, watch};

use crate::admin;
use crate::counter::{Counter, Full, Registry};
use crate::link::{Link, LinkOptions, LmtpLink};
use crate::listener::{Accepted, BindError, Listener};
use crate::node::{Node, OpenError};
use crate::tls::{self, Acceptor};
use crate::{Settings, indexer, settings, warm};

/// How long a graceful stop waits for sessions to end their commands.
const STOP_TIME: Duration = Duration::from_secs(5);
/// A handshake is two or three round trips, also over the slowest line.
const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(60);
/// How often certificate files are looked at.
const CERTIFICATE_INTERVAL: Duration = Duration::from_secs(30);

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A socket can't be had.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// No usable certificate.
    #[error("TLS: {0}")]
    Tls(#[from] tls::Error),
}

/// Where a server accepts connections; the ports are real ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    /// IMAP
    pub imap: Vec<SocketAddr>,
    /// IMAP inside TLS
    pub imaps: Vec<SocketAddr>,
    /// LMTP
    pub lmtp: Vec<SocketAddr>,
}

/// What a connection speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Protocol {
    Imap,
    Imaps,
    Lmtp,
}

/// How far the end is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Running,
    /// No new connections; sessions say BYE.
    Stopping,
    /// Sessions that did not end are dropped.
    Over,
}

/// A running server. Dropping it does not stop it; [`Handle::stop`] does.
pub struct Handle {
    addresses: Addresses,
    shared: Arc<Shared>,
    acceptor: Option<Acceptor>,
    warm: warm::Warm,
    phase: watch::Sender<Phase>,
    /// Closed when all tasks have ended.
    tasks: mpsc::Receiver<()>,
}

/// What all connections share.
struct Shared {
    node: Arc<Node>,
    imap: Arc<imap::Shared>,
    lmtp: Arc<lmtp::Host>,
    counter: Arc<Counter>,
    link: LinkOptions,
}

/// Ends with the task that holds it.
type Alive = mpsc::Sender<()>;

/// The server.
pub struct Server;

impl Server {
    /// Opens the data and accepts connections. `handler` answers at the admin socket; without one
    /// there is none.
    pub async fn start(
        settings: Settings,
        handler: Option<Arc<dyn admin::Handler>>,
    ) -> Result<Handle, StartError> {
        let (phase, watcher) = watch::channel(Phase::Running);
        let (alive, tasks) = mpsc::channel(1);
        let activity = Arc::default();
        let (node, warm) = Node::open_with(settings, |accounts| {
            warm::start(accounts, &activity, stopped(&phase), &alive)
        })
        .await?;
        let settings = node.settings();
        let acceptor = acceptor(settings)?;
        let (listeners, addresses) = bind(settings).await?;
        let admin = match &handler {
            Some(_) => Some(admin::bind(&settings.data).map_err(|error| {
                let address = settings.data.join("admin.sock").display().to_string();
                BindError { address, error }
            })?),
            None => None,
        };
        let counter = Counter::new(settings.limits.clone());
        let shared = Arc::new(Shared {
            imap: Arc::new(imap_shared(&node, &counter)),
            lmtp: Arc::new(lmtp_host(&node)),
            link: LinkOptions {
                acceptor: acceptor.clone(),
                plaintext_from_loopback: settings.plaintext_from_loopback,
                stall_time: settings.limits.stall_time,
                handshake_time: settings.limits.login_time.min(HANDSHAKE_TIME_MAX),
                activity,
            },
            counter,
            node,
        });
        for (protocol, listener) in listeners {
            let accept =
                accept_all(listener, protocol, Arc::clone(&shared), watcher.clone(), alive.clone());
            tokio::spawn(accept);
        }
        if let (Some(listener), Some(handler)) = (admin, handler) {
            let task = admin_all(listener, handler, Arc::clone(&shared), watcher, alive.clone());
            tokio::spawn(task);
        }
        let compactor = Arc::clone(shared.node.compactor());
        let mut running = phase.subscribe();
        tokio::spawn(async move {
            tokio::select! {
                () = compactor.run() => {}
                _ = running.wait_for(|phase| *phase != Phase::Running) => {}
            }
        });
        if let Some(index) = shared.node.index() {
            let (node, index) = (Arc::clone(&shared.node), Arc::clone(index));
            let activity = Arc::clone(&shared.link.activity);
            indexer::start(node, index, activity, stopped(&phase), alive.clone());
        }
        if let Some(acceptor) = &acceptor {
            let watch = Arc::clone(acceptor.store()).watch(CERTIFICATE_INTERVAL);
            let mut phase = phase.subscribe();
            tokio::spawn(async move {
                tokio::select! {
                    () = watch => {}
                    _ = phase.wait_for(|phase| *phase != Phase::Running) => {}
                }
            });
        }
        Ok(Handle { addresses, shared, acceptor, warm, phase, tasks })
    }
}

/// Becomes true when the server stops.
fn stopped(phase: &watch::Sender<Phase>) -> watch::Receiver<bool> {
    let (stop, stopping) = watch::channel(false);
    let mut phase = phase.subscribe();
    tokio::spawn(async move {
        let _ = phase.wait_for(|phase| *phase != Phase::Running).await;
        stop.send_replace(true);
    });
    stopping
}

fn acceptor(settings: &Settings) -> Result<Option<Acceptor>, tls::Error> {
    if settings.listen.imap.is_empty() && settings.listen.imaps.is_empty() {
        return Ok(None);
    }
    let settings::TlsFiles { certificate, key, client_authorities } = settings.tls.clone();
    let mut names = vec![settings.host_name.clone()];
    if settings.host_name != "localhost" {
        names.push("localhost".to_owned());
    }
    let data = settings.data.clone();
    Acceptor::from_config(tls::Settings { certificate, key, client_authorities, data, names })
        .map(Some)
}

async fn bind(settings: &Settings) -> Result<(Vec<(Protocol, Listener)>, Addresses), BindError> {
    let mut listeners = Vec::new();
    let mut addresses = Addresses::default();
    for (protocol, wanted, got) in [
        (Protocol::Imap, &settings.listen.imap, &mut addresses.imap),
        (Protocol::Imaps, &settings.listen.imaps, &mut addresses.imaps),
        (Protocol::Lmtp, &settings.listen.lmtp, &mut addresses.lmtp),
    ] {
        for address in wanted {
            let (listener, address) = Listener::tcp(*address).await?;
            listeners.push((protocol, listener));
            got.push(address);
        }
    }
    if let Some(path) = &settings.listen.lmtp_socket {
        let listener = Listener::unix(path, settings.listen.lmtp_socket_mode)?;
        listeners.push((Protocol::Lmtp, listener));
    }
    Ok((listeners, addresses))
}

fn imap_shared(node: &Node, counter: &Arc<Counter>) -> imap::Shared {
    let settings = node.settings();
    let mask = &settings.mask;
    let lower = |(name, list): (&String, &Vec<String>)| (name.to_lowercase(), list.clone());
    imap::Shared {
        accounts: Arc::clone(node.accounts()),
        authenticator: Arc::new(node.authenticator().clone()),
        clock: Arc::clone(node.system()) as _,
        limits: settings.limits.clone(),
        settings: imap::Settings {
            mask: imap::capability::Mask {
                everywhere: mask.all.iter().map(|name| name.to_uppercase()).collect(),
                accounts: mask.accounts.clone(),
                clients: mask.clients.iter().map(lower).collect(),
            },
            ..imap::Settings::default()
        },
        index: node.index().cloned(),
        documents: node.documents().cloned(),
        registry: Arc::new(Registry(Arc::clone(counter))),
        stop: imap::Stop::default(),
    }
}

fn lmtp_host(node: &Node) -> lmtp::Host {
    let limits = node.settings().limits.clone();
    let clock: Arc<dyn account::Clock> = Arc::clone(node.system()) as _;
    let accounts = Arc::clone(node.accounts());
    lmtp::Host {
        name: node.settings().host_name.clone(),
        authenticator: Arc::new(node.authenticator().clone()),
        store: Arc::new(lmtp::Mailboxes::new(accounts)),
        clock,
        limits,
    }
}

async fn accept_all(
    listener: Listener,
    protocol: Protocol,
    shared: Arc<Shared>,
    mut phase: watch::Receiver<Phase>,
    alive: Alive,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = phase.wait_for(|phase| *phase != Phase::Running) => return,
        };
        let (shared, mut phase, alive) = (Arc::clone(&shared), phase.clone(), alive.clone());
        tokio::spawn(async move {
            let _alive = alive;
            tokio::select! {
                () = connection(accepted, protocol, shared) => {}
                _ = phase.wait_for(|phase| *phase == Phase::Over) => {}
            }
        });
    }
}

async fn connection(accepted: Accepted, protocol: Protocol, shared: Arc<Shared>) {
    let is_unix = matches!(accepted, Accepted::Unix(_));
    let mut options = shared.link.clone();
    if protocol == Protocol::Lmtp {
        options.acceptor = None;
    }
    let mut link = match accepted {
        Accepted::Tcp(stream, remote) => Link::tcp(stream, remote, options),
        Accepted::Unix(stream) => Link::unix(stream, options),
    };
    let remote = imap::Transport::remote(&link);
    // Whoever may use a unix socket is known to the file system.
    let admitted = match is_unix {
        true => None,
        false => match shared.counter.admit(remote, protocol != Protocol::Lmtp) {
            Ok(admitted) => Some(admitted),
            Err(full) => return refuse(link, protocol, full).await,
        },
    };
    if protocol == Protocol::Imaps
        && let Err(error) = link.handshake().await
    {
        tracing::info!(%remote, %error, "TLS handshake failed");
        return;
    }
    match protocol {
        Protocol::Imap | Protocol::Imaps => {
            imap::serve(link, Arc::clone(&shared.imap)).await;
        }
        Protocol::Lmtp => {
            let link = LmtpLink::new(link, shared.imap.stop.clone());
            if let Err(error) = lmtp::serve(Arc::clone(&shared.lmtp), link).await {
                tracing::info!(%remote, %error, "LMTP connection lost");
            }
        }
    }
    drop(admitted);
}

async fn refuse(mut link: Link, protocol: Protocol, full: Full) {
    tracing::warn!(remote = %imap::Transport::remote(&link), why = %full, "connection refused");
    let text = match protocol {
        Protocol::Imap => format!("* BYE [UNAVAILABLE] {full}\r\n"),
        Protocol::Lmtp => format!("421 4.7.0 {full}\r\n"),
        // A handshake costs more than the connection it would refuse.
        Protocol::Imaps => return,
    };
    if link.send(vec![Bytes::from(text)]).await.is_ok() {
        link.end().await;
    }
}

async fn admin_all(
    listener: tokio::net::UnixListener,
    handler: Arc<dyn admin::Handler>,
    shared: Arc<Shared>,
    mut phase: watch::Receiver<Phase>,
    alive: Alive,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = phase.wait_for(|phase| *phase != Phase::Running) => return,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::error!(%error, "cannot accept a connection at the admin socket");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (node, handler) = (Arc::clone(&shared.node), Arc::clone(&handler));
        let (mut phase, alive) = (phase.clone(), alive.clone());
        tokio::spawn(async move {
            let _alive = alive;
            tokio::select! {
                () = admin::serve(stream, node, handler) => {}
                // An import is safe to run again.
                _ = phase.wait_for(|phase| *phase != Phase::Running) => {}
            }
        });
    }
}

impl Handle {
    /// Where it accepts connections.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// The data it runs on.
    pub fn node(&self) -> &Arc<Node> {
        &self.shared.node
    }

    /// How many accounts were opened because they were used before the start; resolves when no more
    /// will be.
    pub async fn prepared(&self) -> usize {
        self.warm.prepared().await
    }

    /// Reads the certificate again. On error the old one stays in use.
    pub async fn reload(&self) {
        if let Some(acceptor) = &self.acceptor {
            let store = Arc::clone(acceptor.store());
            // It logs its errors itself.
            let _ = tokio::task::spawn_blocking(move || store.reload()).await;
        }
    }

    /// Ends in order: no new connections, `* BYE` to all, commands and commits in progress finish
    /// within some seconds, snapshots are written.
    pub async fn stop(mut self) {
        let settings = self.shared.node.settings().clone();
        admin::unbind(&settings.data);
        self.shared.imap.stop.set();
        self.phase.send_replace(Phase::Stopping);
        // Nobody sends: the channel ends when the last task has dropped its end.
        if tokio::time::timeout(STOP_TIME, self.tasks.recv()).await.is_err() {
            tracing::warn!("some sessions did not end in time");
        }
        self.phase.send_replace(Phase::Over);
        let _ = tokio::time::timeout(STOP_TIME, self.tasks.recv()).await;
        warm::save(self.shared.node.accounts(), &mut None).await;
        self.shared.node.close().await;
    }
}
