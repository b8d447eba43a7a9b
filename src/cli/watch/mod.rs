//! `invited queue watch`: a live screen. `look` reads the database, `view` knows what was chosen, `screen` draws; here is what ties
//! them to a terminal, and gives the terminal back whatever happens.

mod look;
mod screen;
mod view;

use std::collections::HashMap;
use std::io::{self, IsTerminal as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use clap::Args;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyEvent, KeyEventKind};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::glyphs::Glyphs;
use super::output::{local, one_line};
use super::suppress::shop;
use super::{ConfigArg, Desk, Failure, Output};
use crate::domain::{InvitationId, ShopId, Timestamp};
use crate::ops::explain::{Telling, tell};
use crate::store::{Store, StoreError, Subject};
use look::{Rates, Snapshot, first_day, look};
use screen::{Face, draw};
use view::{View, Wish};

/// How long the thread that reads keys may take to see that it is over.
const KEYS_LOOK: Duration = Duration::from_millis(100);

/// How often time goes on on the screen.
const TICK: Duration = Duration::from_secs(1);

/// The shortest and the longest time between two looks.
const EVERY: std::ops::RangeInclusive<Duration> = Duration::from_millis(200)..=Duration::from_secs(3_600);

/// What is watched.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  The queue of all shops, looked at every two seconds:
    invited queue watch
  One shop, twice a minute:
    invited queue watch --shop myshop --every 30s")]
pub(super) struct Show {
    #[command(flatten)]
    config: ConfigArg,
    /// Only of this shop
    #[arg(long, value_name = "ID")]
    shop: Option<String>,
    /// How often the database is looked at: 200ms to 1h
    #[arg(long, value_name = "SPAN", default_value = "2s", value_parser = every)]
    every: Duration,
}

fn every(text: &str) -> Result<Duration, String> {
    let span = text.parse::<jiff::SignedDuration>().ok().and_then(|span| Duration::try_from(span).ok());
    span.filter(|span| EVERY.contains(span)).ok_or_else(|| "write a span from 200ms to 1h, such as 2s or 1m".to_owned())
}

/// What happens while the screen is up.
enum News {
    Key(KeyEvent),
    Resized,
    Seen(Result<Box<Snapshot>, StoreError>),
    Told(InvitationId, Vec<String>),
    /// The terminal is gone.
    Gone,
}

impl Show {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() || is_dumb {
            return Err(Failure::Undone(
                "queue watch draws on a terminal, and here is none that it can draw on; use: invited queue list, \
                 invited queue stats"
                    .to_owned(),
            ));
        }
        let desk = Arc::new(Desk::open(&self.config).await?);
        let shop = shop(&desk, self.shop.as_deref())?;
        let has_colours = Output::new().has_colours();
        let screen = Screen::open()?;
        let every =
            jiff::SignedDuration::try_from(self.every).map_or_else(|_| String::new(), |span| format!("{span:#}"));
        let ended = Watching {
            desk: Arc::clone(&desk),
            whose: shop.as_ref().map_or_else(|| "all shops".to_owned(), ToString::to_string),
            shop,
            every,
            has_colours,
            now: desk.clock.now(),
            seen: None,
            rates: Rates::default(),
            trouble: None,
            view: View::default(),
        }
        .go_on(screen, self.every)
        .await;
        desk.store.close().await;
        ended
    }
}

/// The terminal while it shows the screen. It is as before when this is gone, also after a panic.
struct Screen {
    terminal: DefaultTerminal,
    keys: Option<JoinHandle<()>>,
    is_over: Arc<AtomicBool>,
}

impl Screen {
    fn open() -> Result<Self, Failure> {
        let terminal = ratatui::try_init().map_err(|error| {
            // What was done of it is undone.
            let _ = ratatui::try_restore();
            Failure::Undone(format!("this terminal cannot be drawn on: {error}; use: invited queue list"))
        })?;
        Ok(Self { terminal, keys: None, is_over: Arc::default() })
    }

    /// Reads keys on a thread of its own: there is no other way to stop waiting for one.
    fn read_keys(&mut self, news: UnboundedSender<News>) {
        let is_over = Arc::clone(&self.is_over);
        self.keys = Some(std::thread::spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                let told = match event::poll(KEYS_LOOK).and_then(|is_there| is_there.then(event::read).transpose()) {
                    Ok(None) => continue,
                    Ok(Some(Event::Key(key))) if key.kind != KeyEventKind::Release => News::Key(key),
                    Ok(Some(Event::Resize(..))) => News::Resized,
                    Ok(Some(_)) => continue,
                    Err(_) => News::Gone,
                };
                let is_gone = matches!(told, News::Gone);
                if news.send(told).is_err() || is_gone {
                    return;
                }
            }
        }));
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(keys) = self.keys.take() {
            // It must not take the keys that the shell is meant to get.
            let _ = keys.join();
        }
        // Nothing can be done about a terminal that is gone.
        let _ = ratatui::try_restore();
    }
}

/// Signals that end the program.
struct Ends([Signal; 3]);

impl Ends {
    fn new() -> io::Result<Self> {
        Ok(Self([signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?, signal(SignalKind::hangup())?]))
    }

    async fn come(&mut self) {
        let [terminate, interrupt, hangup] = &mut self.0;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

/// What is known and chosen while the screen is up.
struct Watching {
    desk: Arc<Desk>,
    shop: Option<ShopId>,
    whose: String,
    every: String,
    has_colours: bool,
    /// What the screen's clock shows; it stands while the screen is held.
    now: Timestamp,
    seen: Option<Box<Snapshot>>,
    rates: Rates,
    trouble: Option<(Timestamp, String)>,
    view: View,
}

impl Watching {
    async fn go_on(mut self, mut screen: Screen, every: Duration) -> Result<(), Failure> {
        let mut ends = Ends::new()?;
        let (sender, mut news) = unbounded_channel();
        screen.read_keys(sender.clone());
        let looking = tokio::spawn(look_again(Arc::clone(&self.desk), self.shop.clone(), every, sender.clone()));
        let ended = self.show(&mut screen, &mut ends, &mut news, &sender).await;
        looking.abort();
        ended
    }

    async fn show(
        &mut self,
        screen: &mut Screen,
        ends: &mut Ends,
        news: &mut UnboundedReceiver<News>,
        sender: &UnboundedSender<News>,
    ) -> Result<(), Failure> {
        let zone = self.desk.zone();
        let glyphs = Glyphs::of_environment();
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let face = Face {
                whose: &self.whose,
                every: &self.every,
                zone: &zone,
                glyphs,
                has_colours: self.has_colours,
                now: self.now,
                seen: self.seen.as_deref(),
                rates: &self.rates,
                trouble: self.trouble.as_ref(),
                view: &self.view,
            };
            screen.terminal.draw(|frame| draw(frame, &face))?;
            let told = tokio::select! {
                () = ends.come() => return Ok(()),
                _ = tick.tick() => None,
                told = news.recv() => told,
            };
            if let Some(told) = told
                && !self.take(told, sender)
            {
                return Ok(());
            }
            if !self.view.is_paused {
                self.now = self.desk.clock.now();
            }
        }
    }

    /// Takes news in. `false` when the screen is to be left.
    fn take(&mut self, news: News, sender: &UnboundedSender<News>) -> bool {
        match news {
            News::Resized => {}
            News::Gone => return false,
            News::Told(id, lines) => self.view.told(id, lines),
            News::Key(key) => match self.view.press(key, self.seen.as_deref()) {
                Wish::None => {}
                Wish::Leave => return false,
                Wish::Tell(id) => {
                    let (desk, sender) = (Arc::clone(&self.desk), sender.clone());
                    tokio::spawn(async move {
                        let lines = story(&desk, id).await.unwrap_or_else(|why| vec![why]);
                        // Nobody listens any more when the screen is left.
                        let _ = sender.send(News::Told(id, lines));
                    });
                }
            },
            News::Seen(_) if self.view.is_paused => {}
            News::Seen(Ok(seen)) => {
                self.rates.saw(seen.total, self.desk.clock.now());
                self.seen = Some(seen);
                self.trouble = None;
            }
            News::Seen(Err(error)) => {
                let since = self.trouble.take().map_or_else(|| self.desk.clock.now(), |(since, _)| since);
                self.trouble = Some((since, error.to_string()));
            }
        }
        true
    }
}

/// Looks at the database again and again, until nobody listens.
async fn look_again(desk: Arc<Desk>, shop: Option<ShopId>, every: Duration, news: UnboundedSender<News>) {
    let first = first_day(desk.clock.now());
    loop {
        let seen = look(&desk, shop.as_ref(), first).await.map(Box::new);
        if news.send(News::Seen(seen)).is_err() {
            return;
        }
        tokio::time::sleep(every).await;
    }
}

/// The story of an invitation, line by line, or why it cannot be told.
async fn story(desk: &Desk, id: InvitationId) -> Result<Vec<String>, String> {
    let failed = |error: StoreError| format!("The story cannot be read: {error}");
    let story = desk.store.story(&Subject::Invitation(id)).await.map_err(failed)?;
    let policies = desk.policies().map_err(|_| "The key of the suppression list cannot be read.".to_owned())?;
    let now = desk.clock.now();
    let standings = match story.invitations.is_empty() {
        true => HashMap::new(),
        false => desk.store.standings(&story.invitations, Arc::clone(&policies), now).await.map_err(failed)?,
    };
    let zone = desk.zone();
    let when = |at: Timestamp| local(at, &zone);
    let telling =
        Telling { policies: &policies, standings: &standings, holds_all: desk.config.hold_all, now, when: &when };
    let lines = tell(&story, &telling).into_iter().map(|line| {
        let text = one_line(&line.text).into_owned();
        line.at.map_or_else(|| text.clone(), |at| format!("  {}  {text}", local(at, &zone)))
    });
    let lines = lines.collect::<Vec<_>>();
    if lines.is_empty() { Err(format!("There is no invitation {id} any more.")) } else { Ok(lines) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_spans_that_make_sense_are_taken() {
        assert_eq!(every("2s"), Ok(Duration::from_secs(2)));
        assert_eq!(every("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(every("1m"), Ok(Duration::from_secs(60)));
        for text in ["0s", "-2s", "2h", "2", "", "soon"] {
            assert!(every(text).unwrap_err().contains("200ms to 1h"), "{text}");
        }
    }
}
