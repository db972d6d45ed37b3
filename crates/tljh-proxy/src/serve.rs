//! The running proxy: its threads, its two listeners, and how it stops.

use std::net::TcpListener;
use std::os::fd::IntoRawFd as _;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use parking_lot::Mutex;
use pingora_core::apps::ServerApp;
use pingora_core::listeners::{L4BufferSettings, ListenerConfig, TcpSocketOptions};
use pingora_core::server::configuration::ServerConf;
use pingora_core::server::{Fds, ListenFds};
use pingora_core::services::Service as _;
use pingora_core::services::listening::Service;
use sd_notify::NotifyState;
use tljh_terminal::Secret;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::api::Api;
use crate::error::Error;
use crate::forward::{Forward, tcp_keepalive};
use crate::routes::Table;

/// How long requests under way get to finish after SIGTERM. WebSockets are not waited for: they may last for hours.
const GRACE: Duration = Duration::from_secs(5);

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// Threads or signal handlers could not be had.
pub fn serve(
    public: TcpListener,
    api: TcpListener,
    table: Table,
    token: Secret,
) -> Result<(), Error> {
    let threads = available_parallelism().map_or(2, |count| count.get().max(2));
    let runtime = Builder::new_multi_thread()
        .worker_threads(threads)
        .max_blocking_threads(4)
        .enable_all()
        .build()
        .map_err(|source| Error::Runtime { source })?;
    let served = runtime.block_on(serve_both(public, api, Arc::new(table), token, threads));
    // WebSockets still open would keep a plain drop waiting for ever.
    runtime.shutdown_background();
    served
}

async fn serve_both(
    public: TcpListener,
    api: TcpListener,
    table: Arc<Table>,
    token: Secret,
    threads: usize,
) -> Result<(), Error> {
    let mut terminate =
        signal(SignalKind::terminate()).map_err(|source| Error::Signals { source })?;
    let mut interrupt =
        signal(SignalKind::interrupt()).map_err(|source| Error::Signals { source })?;
    let (stop, stopping) = watch::channel(false);

    let forward = Forward::new(table.clone());
    let under_way = forward.under_way.clone();
    let conf = Arc::new(ServerConf {
        threads,
        ..ServerConf::default()
    });
    let proxy = pingora_proxy::http_proxy(&conf, forward);
    let addresses = [&public, &api].map(|socket| {
        socket
            .local_addr()
            .map_or("?".into(), |address| address.to_string())
    });
    let mut running = tokio::task::JoinSet::new();
    running.spawn(listen(
        Service::new("proxy".into(), proxy),
        public,
        stopping.clone(),
    ));
    running.spawn(listen(
        Service::new("api".into(), Api::new(table.clone(), token)),
        api,
        stopping,
    ));

    let [public, api] = addresses;
    log::info!("serving on {public}, routes are told on {api}");
    if let Err(error) = sd_notify::notify(&[NotifyState::Ready]) {
        log::warn!("could not tell systemd that the proxy is ready: {error}");
    }

    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    let _ = sd_notify::notify(&[NotifyState::Stopping]);
    let _ = stop.send(true);
    let finished = timeout(GRACE, async {
        while running.join_next().await.is_some() {}
        under_way.closed().await;
    });
    if finished.await.is_err() {
        log::info!(
            "stopped with {} requests under way",
            under_way.receiver_count()
        );
    }
    if let Err(error) = table.save().await {
        log::warn!("{}", tljh_terminal::render_error(&error, None).trim_end());
    }
    Ok(())
}

/// Runs pingora's accept loop over a socket that is already bound, until `stopping` turns true.
async fn listen<A: ServerApp + Send + Sync + 'static>(
    mut service: Service<A>,
    socket: TcpListener,
    stopping: watch::Receiver<bool>,
) {
    // pingora takes sockets of others by the name of their address.
    let name = service.name().to_string();
    let mut options = TcpSocketOptions::default();
    options.tcp_keepalive = Some(tcp_keepalive());
    let config = ListenerConfig::tcp(&name)
        .tcp_socket_options(options)
        .l4_buffer(L4BufferSettings::new(8192, 4096));
    service.add_listener(config);
    let mut sockets = Fds::new();
    sockets.add(name, socket.into_raw_fd());
    let sockets: ListenFds = Arc::new(Mutex::new(sockets));
    service.start_service(Some(sockets), stopping, 1).await;
}
