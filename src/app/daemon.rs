//! The daemon as one thing: started from a configuration, reloaded as a whole, stopped in order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::files::database_password;
use super::setup::{build_setup, doubts, rebuild_setup};
use super::web::{Place, Web};
use crate::clock::{Clock, random_bytes};
use crate::config::{Config, ListenOn, Listener, ListenerTls, Role as DoorRole};
use crate::document::Problem;
use crate::door::{self, Door, InForce, ListenError, Listening};
use crate::http::{Bounds, Front, Handshake, Reception, monitoring, pages};
use crate::meter::Show;
use crate::ops::accept::Accept;
use crate::ops::status::{self, Outside};
use crate::ops::{House, Setup, dispatch, trust, vitals};
use crate::scheduler;
use crate::store::{self, Role, SqlStore, Store, StoreError};

/// A daemon that runs.
pub struct Daemon {
    house: Arc<House>,
    store: Arc<SqlStore>,
    door: Arc<Door>,
    addresses: Vec<SocketAddr>,
    places: Vec<String>,
    in_force: Vec<InForce>,
    stop_doors: CancellationToken,
    stop_loops: CancellationToken,
    doors: JoinSet<()>,
    monitor: Arc<Web>,
    pages: Arc<Web>,
    reception: Arc<Reception>,
    loops: JoinSet<Result<(), StoreError>>,
}

/// Why a daemon did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration, or something that it names, is wrong.
    #[error("the configuration cannot be used")]
    Config(Vec<Problem>),
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A place cannot be listened on.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// An address for HTTP cannot be listened on.
    #[error("cannot listen on {address} ({key}): {error}; is another program there?")]
    Web {
        /// The key of the configuration.
        key: &'static str,
        /// The address.
        address: SocketAddr,
        /// The operating system's words.
        error: std::io::Error,
    },
}

/// What a reload left as it was.
#[derive(Debug)]
pub struct Reloaded {
    /// Settings that need a restart.
    pub restart: Vec<String>,
    /// Mistakes in templates, which go on as they were before.
    pub passed_over: Vec<Problem>,
}

/// Why a daemon cannot go on.
#[derive(Debug)]
pub enum Broke {
    /// A part of it has ended by itself, which none of them should: the rest is not worth much then.
    Part(&'static str),
    /// The database is not for this program any more.
    Store(StoreError),
}

impl Daemon {
    /// Starts everything: the store is opened and cleared up, the listeners are bound, the loops run.
    ///
    /// # Errors
    /// Whatever is wrong, before anything was started.
    pub async fn start(config: Config, clock: Clock) -> Result<Self, StartError> {
        Self::start_with_lease(config, clock, dispatch::LEASE).await
    }

    /// The same with another lease than [`dispatch::LEASE`], for tests that would have to wait for its end.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn start_with_lease(config: Config, clock: Clock, lease: Duration) -> Result<Self, StartError> {
        let database = config.database.clone();
        let password = database_password(&database).map_err(StartError::Config)?;
        let door_settings = config.door.clone();
        let (monitor, pages) = (Arc::new(Web::new("metrics.listen")), Arc::new(Web::new("pages.listen")));
        let (config, page_place) = with_pages(config, &pages)?;
        let setup = build_setup(config).map_err(StartError::Config)?;
        warn_of(&setup);
        let tls = door_settings
            .tls
            .as_ref()
            .map(door::load_tls)
            .transpose()
            .map_err(|error| StartError::Config(vec![tls_problem(&error)]))?;
        let store = Arc::new(store::open(&database, password.as_deref(), Role::Daemon).await?);
        trust::learn_senders(&store, clock.now()).await?;
        let listening = door::open(&door_settings.listeners).await?;
        let addresses = listening.iter().filter_map(Listening::address).collect();
        let places = listening.iter().map(Listening::place).collect();
        // One for each place; several sockets that were handed over by one name share it.
        let in_force = listening.iter().map(|one| Arc::clone(one.in_force())).collect::<Vec<_>>();

        let owner = crate::domain::hex(&random_bytes::<8>());
        let house = Arc::new(House::new(Arc::clone(&store) as Arc<dyn Store>, clock.clone(), owner, lease, setup));
        house.shows(store.meter());
        dispatch::beat(&house).await?;
        if store.is_alone() {
            dispatch::recover(&house).await?;
        }
        let now = { move || clock.now() };
        let intake = Arc::new(Accept(Arc::clone(&house)));
        if let Some(certificate) = &tls {
            door::tell_of_end(certificate, now());
        }
        let door = Arc::new(Door::new(&door_settings, tls, intake, Arc::new(now)));

        house.shows(Arc::clone(&door) as Arc<dyn Show>);
        let reception = Arc::new(Reception::new(Arc::clone(&house)));
        house.shows(Arc::clone(&reception) as Arc<dyn Show>);
        let monitor_place = monitor.bind(house.setup().config.metrics.listen)?;
        monitor.serve(monitor_place, monitoring(Arc::clone(&house)), Bounds::monitoring(), Front::default())?;
        serve_pages(&pages, page_place, &house.setup().config, &reception, &door)?;

        let (stop_doors, stop_loops) = (CancellationToken::new(), CancellationToken::new());
        let mut doors = JoinSet::new();
        for socket in listening {
            doors.spawn(door::serve(Arc::clone(&door), socket, stop_doors.clone()));
        }
        let mut loops = JoinSet::new();
        let (reading, sending) = (Arc::clone(&house), Arc::clone(&house));
        let (stop_reading, stop_sending) = (stop_loops.clone(), stop_loops.clone());
        loops.spawn(async move {
            scheduler::read_copies(reading, stop_reading).await;
            Ok(())
        });
        loops.spawn(async move {
            scheduler::send_letters(sending, stop_sending).await;
            Ok(())
        });
        let (watching, stop_watching) = (Arc::clone(&house), stop_loops.clone());
        loops.spawn(async move {
            scheduler::watch_shops(watching, stop_watching).await;
            Ok(())
        });
        let (looking, stop_looking) = (Arc::clone(&house), stop_loops.clone());
        loops.spawn(async move {
            scheduler::look_again(looking, stop_looking).await;
            Ok(())
        });
        let (kept, stop_keeping) = (Arc::clone(&door), stop_loops.clone());
        loops.spawn(async move {
            door::keep_certificate(kept, stop_keeping).await;
            Ok(())
        });
        loops.spawn(scheduler::keep_house(Arc::clone(&house), stop_loops.clone()));
        let daemon = Self {
            house,
            store,
            door,
            addresses,
            places,
            in_force,
            monitor,
            pages,
            reception,
            stop_doors,
            stop_loops,
            doors,
            loops,
        };
        daemon.tell_how_it_is_outside();
        Ok(daemon)
    }

    /// The addresses that are listened on, ports filled in; unix sockets have none.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Lets whoever asks how things stand know where this daemon listens, and with which certificate.
    fn tell_how_it_is_outside(&self) {
        let (door, monitor, pages) = (Arc::clone(&self.door), Arc::clone(&self.monitor), Arc::clone(&self.pages));
        let house = Arc::downgrade(&self.house);
        let doors = self.places.iter().cloned().zip(self.in_force.iter().map(Arc::clone)).collect::<Vec<_>>();
        self.house.is_outside(move || {
            let certificate = door.tls();
            let doors = doors.iter().map(|(place, in_force)| listening(place, &in_force.load(), certificate.is_some()));
            let http = |web: &Web, role: &str, tls: &str| {
                let (role, tls) = (role.to_owned(), tls.to_owned());
                web.address().map(|address| status::Listening { address: address.to_string(), role, tls })
            };
            let setup = house.upgrade().map(|house| house.setup());
            let tls = setup.and_then(|setup| setup.config.pages.as_ref().map(|pages| pages.tls)).unwrap_or_default();
            let pages = http(&pages, "pages", if tls { "implicit" } else { "none" });
            let monitor = http(&monitor, "http", "none");
            Outside {
                listeners: doors.chain(pages).chain(monitor).collect(),
                certificate_ends: certificate.map(|certificate| door::certificate_ends(&certificate)),
            }
        });
    }

    /// Where copies are taken in, what for, and how sessions are protected there.
    pub fn listeners(&self) -> Vec<status::Listening> {
        let has_certificate = self.door.tls().is_some();
        let doors = self.places.iter().zip(&self.in_force);
        doors.map(|(place, in_force)| listening(place, &in_force.load(), has_certificate)).collect()
    }

    /// The address of the HTTP listener for figures and health, when there is one.
    pub fn monitor_address(&self) -> Option<SocketAddr> {
        self.monitor.address()
    }

    /// The address of the customers' pages, when there are any.
    pub fn pages_address(&self) -> Option<SocketAddr> {
        self.pages.address()
    }

    /// Every place that is listened on, as the configuration writes it: `127.0.0.1:2525`, `unix:/run/invited/lmtp.sock`.
    pub fn places(&self) -> &[String] {
        &self.places
    }

    /// The door, for those who look at its certificate.
    pub fn door(&self) -> &Arc<Door> {
        &self.door
    }

    /// The house, for those who look in from outside.
    pub fn house(&self) -> &Arc<House> {
        &self.house
    }

    /// Puts a new configuration in place without ending a session. What needs a restart (the database, the places to listen on)
    /// stays as it was and is named in the answer; what a listener is for and how it is protected is new for new sessions.
    ///
    /// # Errors
    /// All problems at once; the old configuration goes on then. A template with a mistake is none of them: it goes on as it was,
    /// and the rest is new.
    pub fn reload(&self, config: Config) -> Result<Reloaded, Vec<Problem>> {
        let door_settings = config.door.clone();
        let old = self.house.setup();
        let unbound = |error: StartError| vec![unbound(&error)];
        let (config, page_place) = with_pages(config, &self.pages).map_err(unbound)?;
        let mut restart = Vec::new();
        if old.config.database != config.database {
            restart.push("database".to_owned());
        }
        restart.extend(self.other_sockets(&door_settings.listeners));
        let (setup, passed_over) = rebuild_setup(config, old.reader.templates())?;
        let tls =
            door_settings.tls.as_ref().map(door::load_tls).transpose().map_err(|error| vec![tls_problem(&error)])?;
        let monitor_place = self.monitor.bind(setup.config.metrics.listen).map_err(unbound)?;
        let router = monitoring(Arc::clone(&self.house));
        self.monitor.serve(monitor_place, router, Bounds::monitoring(), Front::default()).map_err(unbound)?;
        serve_pages(&self.pages, page_place, &setup.config, &self.reception, &self.door).map_err(unbound)?;
        if let Some(certificate) = &tls {
            door::tell_of_end(certificate, self.house.clock.now());
        }
        self.door.set_limits(door_settings.limits);
        self.door.set_tls(tls);
        for in_force in &self.in_force {
            if let Some(new) = door_settings.listeners.iter().find(|new| new.on == in_force.load().on) {
                in_force.store(Arc::new(new.clone()));
            }
        }
        warn_of(&setup);
        self.house.replace_setup(setup);
        Ok(Reloaded { restart, passed_over })
    }

    /// The sockets that would have to be opened, closed or made anew for these listeners.
    fn other_sockets(&self, listeners: &[Listener]) -> Vec<String> {
        let now = self.in_force.iter().map(|in_force| in_force.load_full()).collect::<Vec<_>>();
        let stays = |one: &Listener, all: &mut dyn Iterator<Item = &Listener>| {
            let mut same = all.filter(|other| other.on == one.on);
            same.any(|other| !matches!(one.on, ListenOn::Unix(_)) || other.socket_mode == one.socket_mode)
        };
        let gone = now.iter().filter(|one| !stays(one, &mut listeners.iter()));
        let new = listeners.iter().filter(|one| !stays(one, &mut now.iter().map(AsRef::as_ref)));
        let mut changed =
            gone.map(AsRef::as_ref).chain(new).map(|one| format!("listener {}", one.on)).collect::<Vec<_>>();
        changed.sort();
        changed.dedup();
        changed
    }

    /// Whether a restart would not help; asked by the watchdog. A full disk or a lock is no illness, and neither is a server that is
    /// away: whoever was ended then would take the outcomes of letters with him that cannot be written down yet.
    pub async fn is_well(&self) -> bool {
        match self.house.vitals.hangs() {
            Some(name) => {
                tracing::error!("{name} hangs; the watchdog is not told of life any more");
                false
            }
            None => self.store.is_well().await,
        }
    }

    /// How things stand, in a line for `systemctl status`.
    pub async fn in_a_line(&self) -> String {
        let meter = &self.house.meter;
        let well = vitals::ready(&self.house).await.err().map_or_else(String::new, |why| format!("; not ready: {why}"));
        format!("{} messages taken in, {} letters sent since the start{well}", meter.taken_in(), meter.letters())
    }

    /// Comes back only when the daemon cannot go on.
    pub async fn broke(&mut self) -> Broke {
        tokio::select! {
            Some(_) = self.doors.join_next() => Broke::Part("a listener"),
            Some(ended) = self.loops.join_next() => match ended {
                Ok(Err(error)) => Broke::Store(error),
                Ok(Ok(())) | Err(_) => Broke::Part("a loop"),
            },
        }
    }

    /// Stops in order: no new sessions, the ones in DATA may end; no new letters, those on the wire may end; the last
    /// transactions are written.
    pub async fn stop(mut self) {
        self.stop_doors.cancel();
        while self.doors.join_next().await.is_some() {}
        self.pages.close().await;
        self.stop_loops.cancel();
        while self.loops.join_next().await.is_some() {}
        if let Err(error) = self.store.leave(&self.house.owner).await {
            tracing::warn!(%error, "other daemons were not told; they take over what is left when this one's lease is over");
        }
        self.monitor.close().await;
        self.store.close().await;
    }
}

/// The configuration with the pages' port filled in, and their socket.
fn with_pages(mut config: Config, web: &Web) -> Result<(Config, Option<Place>), StartError> {
    let place = web.bind(config.pages.as_ref().map(|pages| pages.listen))?;
    if let Some(place) = &place {
        config.pages = config.pages.map(|pages| pages.at_port(place.address().port()));
    }
    Ok((config, place))
}

fn serve_pages(
    web: &Web,
    place: Option<Place>,
    config: &Config,
    reception: &Arc<Reception>,
    door: &Arc<Door>,
) -> Result<(), StartError> {
    let Some(settings) = &config.pages else {
        return web.serve(None, Router::new(), Bounds::monitoring(), Front::default());
    };
    let door = Arc::clone(door);
    let handshake: Handshake = Arc::new(move || door.tls().map(|certificate| certificate.for_web()));
    let front = Front { proxies: settings.proxies.clone().into(), tls: settings.tls.then_some(handshake) };
    web.serve(place, pages(Arc::clone(reception), &settings.url), Bounds::pages(settings.connections), front)
}

fn unbound(error: &StartError) -> Problem {
    let place = if let StartError::Web { key, .. } = error { key } else { "configuration" };
    Problem::with_file(place, error.to_string(), "write another address, or free this one")
}

/// What is said of a place that is listened on. Without a certificate there is no TLS, whatever the listener would offer.
fn listening(place: &str, listener: &Listener, has_certificate: bool) -> status::Listening {
    let role = match listener.role {
        DoorRole::Smtp => "smtp",
        DoorRole::Submission => "submission",
        DoorRole::Lmtp => "lmtp",
    };
    let tls = match listener.tls {
        _ if !has_certificate => "none",
        ListenerTls::StartTls => "starttls",
        ListenerTls::Required => "required",
        ListenerTls::Implicit => "implicit",
        ListenerTls::None => "none",
    };
    status::Listening { address: place.to_owned(), role: role.to_owned(), tls: tls.to_owned() }
}

/// Logs what is doubtful in the templates and in the rules of proof; they are used all the same.
fn warn_of(setup: &Setup) {
    for (shop, doubt) in setup.config.trust_doubts() {
        tracing::warn!(shop = %shop.id, "[shop.trust] {doubt}");
    }
    for doubt in doubts(setup) {
        tracing::warn!("{doubt}");
    }
}

fn tls_problem(error: &door::TlsError) -> Problem {
    Problem::with_file("smtp.tls", error.to_string(), "name a PEM certificate chain and its PEM key")
}
