//! The room as a whole: what the shipped examples mean, that they tell the truth, and what a first configuration says.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::starter::{EXAMPLE, key_of};
use super::*;
use crate::document::{Document, Problems};
use crate::domain::trust::NewSenders;
use crate::domain::{DAY, InDoubt, Policy, Trigger};

const MINIMAL: &str = include_str!("../../config/minimal.toml");

fn parsed(text: &str) -> Config {
    parse(&Document::new("x.toml", text), Path::new("/etc/invited")).unwrap_or_else(|problems| {
        panic!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    })
}

fn with(extra: &str) -> Config {
    parsed(&format!("{MINIMAL}{extra}"))
}

/// The example with every line switched on for which `on` says so by its number.
fn switched(on: impl Fn(usize) -> bool) -> String {
    let lines = EXAMPLE.lines().enumerate().map(|(number, line)| match line.strip_prefix('#') {
        Some(rest) if (key_of(line).is_some() || rest.starts_with('[')) && on(number) => rest,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_least_configuration_has_every_default() {
    let config = parsed(MINIMAL);
    let shop = &config.shops[0];
    assert_eq!(config.database, Database::Sqlite(PathBuf::from("/var/lib/invited/invited.db")));
    assert_eq!(config.master_key, Secret::File(PathBuf::from("/etc/invited/master.key")));
    assert_eq!(config.door.listeners, [Listener::plain(DEFAULT_LISTEN)]);
    assert_eq!(config.door.hostname, "invited.nordljus.example");
    assert_eq!((config.door.tls.clone(), config.door.limits.clone()), (None, Limits::default()));
    assert_eq!(config.metrics, Metrics::default());
    assert_eq!((config.keep_copies, config.hold_all, config.log), (DAY * 30, false, LogFormat::Automatic));
    assert_eq!((config.templates_dir.clone(), config.letters_dir.clone()), (None, None));
    assert_eq!(
        config.relays,
        [Relay {
            name: "default".to_owned(),
            host: "localhost".to_owned(),
            port: 25,
            tls: Tls::Opportunistic,
            tls_ca: None,
            login: None,
            connections: 4,
            letters_per_connection: 100,
            rate: None,
            per_domain: None,
            domains: Vec::new(),
            return_path: crate::config::ReturnPath::Own,
            hello_name: "invited.nordljus.example".to_owned(),
            timeouts: RelayTimeouts::default(),
        }]
    );
    assert_eq!((shop.from.as_str(), shop.from_name.as_str()), ("reviews@nordljus.example", "Nordljus"));
    assert_eq!((shop.unsubscribe.as_str(), shop.reply_to.clone()), ("reviews@nordljus.example", None));
    assert_eq!(
        (shop.locale.as_str(), shop.zone.name(), shop.relays.as_slice()),
        ("en", "UTC", &["default".to_owned()][..])
    );
    assert_eq!((&shop.rules.base, &shop.brand), (&Policy::default(), &Brand::default()));
    assert_eq!(config.bcc_address(shop), "nordljus+writeyourownhere0123@invited.nordljus.example");
}

#[test]
fn the_example_is_right_with_every_key_switched_on() {
    let config = parsed(&switched(|_| true));
    let (shop, relay) = (&config.shops[0], &config.relays[0]);
    assert_eq!(config.templates_dir, Some(PathBuf::from("/etc/invited/templates")));
    let figures = PathBuf::from("/var/lib/prometheus/node-exporter/invited.prom");
    assert_eq!(config.metrics, Metrics { textfile: Some(figures), listen: Some(([127, 0, 0, 1], 9125).into()) });
    assert_eq!(config.door.hostname, "mail.nordljus.example");
    assert!(config.door.tls.is_some() && relay.tls_ca.is_some());
    let password = Secret::Credential("relay-password".to_owned());
    assert_eq!(relay.login, Some(Login { user: "reviews@nordljus.example".to_owned(), password }));
    assert_eq!((relay.tls, relay.port), (Tls::Required, 587));
    assert_eq!(shop.unsubscribe.as_str(), "help@nordljus.example");
    assert!(shop.postal_address.is_some() && shop.brand.logo.is_some());
}

/// "# Default: …" above a key is followed by that default, unless there is none or it comes from elsewhere.
#[test]
fn the_defaults_that_the_example_tells_are_the_real_ones() {
    let shipped = parsed(EXAMPLE);
    let mut comment = String::new();
    let mut compared = 0;
    // A key of a block that is switched off means nothing without what the block requires.
    let mut block_is_off = false;
    for (number, line) in EXAMPLE.lines().enumerate() {
        if line.starts_with("# ") {
            comment.push_str(line);
            continue;
        }
        if line.trim_start_matches('#').starts_with('[') {
            block_is_off = line.starts_with('#');
        }
        if let Some(key) = key_of(line).filter(|_| line.starts_with('#')) {
            assert!(comment.contains("# Default: ") || key == "password", "{key} tells no default");
            if !["# Default: none.", "# Default: the "].iter().any(|no_value| comment.contains(no_value))
                && key != "password"
                && !block_is_off
            {
                assert_eq!(parsed(&switched(|other| other == number)), shipped, "{key} shows another default");
                compared += 1;
            }
        } else if key_of(line).is_some() {
            assert!(comment.contains("# Required."), "{line} is set without being required");
        }
        if line.is_empty() || line.starts_with('[') {
            comment.clear();
        }
    }
    assert!(compared >= 30, "only {compared} defaults were compared");
}

#[test]
fn the_example_has_every_key_that_is_read_and_no_other() {
    let text = switched(|_| true);
    let problems = Problems::default();
    read::read(&Document::new("x.toml", &text), Path::new(""), &problems);
    let asked = problems.asked().iter().map(|path| without_numbers(path)).map(one_place).collect::<BTreeSet<_>>();
    let mut written = BTreeSet::new();
    keys_of(&toml::from_str(&text).unwrap(), "", &mut written);
    let written = written.into_iter().map(one_place).collect::<BTreeSet<_>>();
    assert_eq!(asked, written);
    assert!(asked.len() > 50);
}

/// What may stand in several places is shown in one of them: the rules of `[policy]`, and a secret as a file or as a credential,
/// which are never both.
fn one_place(path: String) -> String {
    for table in ["shop.policy.", "shop.policy_for."] {
        match path.strip_prefix(table) {
            Some(key) if !key.starts_with("when") => return format!("policy.{key}"),
            _ => (),
        }
    }
    let direct = ["trigger", "delay", "reminder", "wait_for_trigger", "end_of_life", "in_doubt"];
    match path.rsplit_once('.') {
        Some((_, kind @ ("file" | "credential"))) => format!("a secret's {kind}"),
        Some(("shop", key)) if direct.contains(&key) => format!("policy.{key}"),
        _ => path,
    }
}

fn without_numbers(path: &str) -> String {
    path.split('.').map(|part| part.split('[').next().unwrap_or(part)).collect::<Vec<_>>().join(".")
}

fn keys_of(table: &toml::Table, path: &str, keys: &mut BTreeSet<String>) {
    for (key, value) in table {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        keys.insert(path.clone());
        let items = value.as_array().map_or_else(|| std::slice::from_ref(value), Vec::as_slice);
        for inner in items.iter().filter_map(toml::Value::as_table) {
            keys_of(inner, &path, keys);
        }
    }
}

/// Each line of the example's prose that is indented and sets the database can be taken as it is.
#[test]
fn every_form_of_the_database_that_the_example_tells_is_read() {
    let forms =
        EXAMPLE.lines().filter_map(|line| line.strip_prefix("#   ")).filter(|line| line.starts_with("database = "));
    let read = forms
        .map(|form| {
            let config = parsed(&MINIMAL.replace("database = \"/var/lib/invited/invited.db\"", form));
            assert_eq!(MINIMAL.matches("database = ").count(), 1);
            config.database
        })
        .collect::<Vec<_>>();
    let shown = read.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        shown,
        [
            "/etc/invited/invited.db",
            "/var/lib/invited/invited.db",
            "postgres://invited@%2Frun%2Fpostgresql:5432/invited",
            "postgres://invited@db.example.com:5432/invited",
            "postgres://invited@db.example.com:5432/invited"
        ]
    );
    let Some(Database::Postgres(last)) = read.last() else { panic!("{shown:?}") };
    assert_eq!((last.tls, last.ca.clone()), (PostgresTls::Verified, Some(PathBuf::from("/etc/invited/tls/db-ca.pem"))));
    assert_eq!(last.password, Some(Secret::Credential("db-password".to_owned())));
    let Some(Database::Postgres(local)) = read.get(2) else { panic!("{shown:?}") };
    assert_eq!((&local.host, local.tls), (&PostgresHost::Socket(PathBuf::from("/run/postgresql")), PostgresTls::None));
}

#[test]
fn a_database_as_a_table_means_the_same_as_its_url_alone() {
    let with = |form: &str| parsed(&MINIMAL.replace("\"/var/lib/invited/invited.db\"", form)).database;
    assert_eq!(with("{ url = \"invited.db\" }"), with("\"sqlite:///etc/invited/invited.db\""));
    let url = "\"postgres://invited@db.example.com/queue\"";
    assert_eq!(with(&format!("{{ url = {url} }}")), with(url));
    let keyed = with(&format!("{{ url = {url}, password = {{ file = \"db-password\" }} }}"));
    assert_ne!(keyed, with(url), "a reload must see that the password is elsewhere now");
    let Database::Postgres(keyed) = keyed else { panic!("{keyed:?}") };
    assert_eq!(keyed.password, Some(Secret::File(PathBuf::from("/etc/invited/db-password"))));
}

#[test]
fn a_shop_can_say_everything_in_its_own_way() {
    let config = with(
        "reply_to = \"Help <help@nordljus.example>\"\nlocale = \"zh-hant-tw\"\ntimezone = \"Europe/Stockholm\"\n\
         trigger = \"delivery\"\ndelay = \"0 days\"\nreminder = false\nin_doubt = \"resend\"\n\
         postal_address = \"\"\"\nNordljus AB  \n Kungsgatan 1\n\"\"\"\n[shop.brand]\ncolor = \"#ABCDEF\"\n",
    );
    let shop = &config.shops[0];
    assert_eq!(shop.unsubscribe.as_str(), "help@nordljus.example");
    assert_eq!((shop.locale.as_str(), shop.zone.name()), ("zh-Hant-TW", "Europe/Stockholm"));
    assert_eq!(shop.postal_address.as_deref(), Some("Nordljus AB\nKungsgatan 1"));
    assert_eq!(shop.brand.color, "#abcdef");
    assert_eq!(
        shop.rules.base,
        Policy {
            trigger: Trigger::Delivery,
            delay: Duration::ZERO,
            reminder: None,
            in_doubt: InDoubt::Resend,
            ..Policy::default()
        }
    );
}

#[test]
fn senders_are_read_with_and_without_a_name() {
    for (from, name, address) in [
        ("Nordljus Reviews <r@nordljus.example>", "Nordljus Reviews", "r@nordljus.example"),
        ("\\\"Nordljus, AB\\\" <r@nordljus.example>", "Nordljus, AB", "r@nordljus.example"),
        ("<r@nordljus.example>", "Nordljus", "r@nordljus.example"),
        ("r@NORDLJUS.example", "Nordljus", "r@nordljus.example"),
    ] {
        let shop = &parsed(&MINIMAL.replace("reviews@nordljus.example", from)).shops[0];
        assert_eq!((shop.from_name.as_str(), shop.from.as_str()), (name, address), "{from}");
    }
}

#[test]
fn relays_are_found_by_scheme_host_and_port() {
    for (url, host, port, tls) in [
        ("smtp://localhost", "localhost", 25, Tls::Opportunistic),
        ("smtp://127.0.0.1:2525", "127.0.0.1", 2525, Tls::Opportunistic),
        ("smtp://[::1]:25/", "::1", 25, Tls::Opportunistic),
        ("smtp://Relay.Example.com:587", "relay.example.com", 587, Tls::Required),
        ("smtp://mailhub", "mailhub", 25, Tls::Required),
        ("smtp://192.0.2.7", "192.0.2.7", 25, Tls::Required),
        ("SMTPS://[2001:db8::7]", "2001:db8::7", 465, Tls::Implicit),
        ("smtps://localhost", "localhost", 465, Tls::Implicit),
        ("smtp://b\u{fc}cher.example", "xn--bcher-kva.example", 25, Tls::Required),
    ] {
        let relay = &parsed(&MINIMAL.replace("smtp://localhost:25", url)).relays[0];
        assert_eq!((relay.host.as_str(), relay.port, relay.tls), (host, port, tls), "{url}");
    }
    for url in [
        "smtp://",
        "smtp://:25",
        "smtp://::1:25",
        "smtp://[::1",
        "smtp://[::1]x",
        "smtp://[relay]",
        "smtp://a b",
        "smtp://1",
        "smtp://h:99999",
        "smtp://h:+25",
    ] {
        let text = MINIMAL.replace("smtp://localhost:25", url);
        assert!(parse(&Document::new("x.toml", text), Path::new("")).is_err(), "{url}");
    }
}

#[test]
fn the_relay_of_a_shop_is_the_one_named_or_the_default_or_the_only_one() {
    let second = "[[relay]]\nname = \"second\"\nurl = \"smtps://smtp.example.com\"\n[[shop]]\n";
    let two = MINIMAL.replace("[[shop]]\n", second);
    assert_eq!(parsed(&two).shops[0].relays, ["default"]);
    assert_eq!(parsed(&format!("{two}relay = \"second\"\n")).shops[0].relays, ["second"]);
    let one = MINIMAL.replace("[[relay]]\n", "[[relay]]\nname = \"provider\"\n");
    assert_eq!(parsed(&one).shops[0].relays, ["provider"]);
}

#[test]
fn a_login_to_this_machine_needs_no_certificate() {
    let login = "[[relay]]\nuser = \"reviews\"\npassword = { file = \"relay-password\" }\n";
    let relay = &parsed(&MINIMAL.replace("[[relay]]\n", login)).relays[0];
    assert_eq!(relay.tls, Tls::Opportunistic);
    let password = Secret::File(PathBuf::from("/etc/invited/relay-password"));
    assert_eq!(relay.login, Some(Login { user: "reviews".to_owned(), password }));
}

#[test]
fn lower_bounds_take_their_companions_with_them() {
    let limits = |text: &str| {
        let config = format!("[smtp.limits]\n{text}\n[[relay]]\n");
        parsed(&MINIMAL.replace("[[relay]]\n", &config)).door.limits
    };
    assert_eq!(limits("sessions = 5").sessions_per_client, 5);
    assert_eq!(limits("message = \"64 KiB\"").header, 65_536);
    assert_eq!(limits("message = \"1 MB\"").message, 1_000_000);
}

#[test]
fn listeners_stand_beside_those_of_smtp_or_instead_of_them() {
    let listeners = |smtp: &str, listener: &str| {
        let tls = "tls = { certificate = \"chain.pem\", key = \"key.pem\" }\n";
        let login = "[[login]]\nuser = \"nordljus\"\npassword = { file = \"login\" }";
        let config = format!("[smtp]\n{tls}{smtp}\n[[listener]]\n{listener}\n{login}\n[[relay]]\n");
        parsed(&MINIMAL.replace("[[relay]]\n", &config)).door.listeners
    };
    let shown = |listeners: &[Listener]| listeners.iter().map(|one| one.on.to_string()).collect::<Vec<_>>();
    let beside = listeners("listen = [\"[::1]:25\", \"127.0.0.1:25\"]", "on = \"unix:lmtp.sock\"\nrole = \"lmtp\"");
    assert_eq!(shown(&beside), ["[::1]:25", "127.0.0.1:25", "unix:/etc/invited/lmtp.sock"]);
    assert_eq!((beside[2].role, beside[2].tls, beside[2].socket_mode), (Role::Lmtp, ListenerTls::StartTls, 0o660));
    let instead = listeners("", "on = \"systemd:smtp\"\nproxy = \"192.0.2.7\"\nclient_certificates = \"ask\"");
    assert_eq!(shown(&instead), ["systemd:smtp"]);
    assert_eq!(instead[0].proxy, ["192.0.2.7/32".parse().unwrap()]);
    assert!(instead[0].client_certificates && instead[0].role == Role::Smtp);
    let implicit = listeners("listen = []", "on = \"[::]:465\"\nrole = \"submission\"\ntls = \"implicit\"");
    assert_eq!((shown(&implicit), implicit[0].tls), (vec!["[::]:465".to_owned()], ListenerTls::Implicit));
    assert_eq!(implicit[0].role, Role::Submission);
}

#[test]
fn links_lead_to_pages_addresses_and_other_services() {
    let config = |keys: &str, shop: &str| {
        let link = MINIMAL.lines().find(|line| line.starts_with("link = ")).unwrap();
        let pages = "[pages]\nurl = \"https://reviews.nordljus.example/\"\n[[relay]]";
        parsed(&format!("{keys}{}", MINIMAL.replace(link, shop).replace("[[relay]]", pages)))
    };
    let own = config("", "link = \"own\"");
    assert_eq!((&own.shops[0].link, own.shops[0].links.len()), (&LinkTo::Own, 0));
    assert_eq!((own.link_keys, own.link_expiry), (vec![LinkKey { id: 1, secret: None }], DAY * 180));
    let sealed = "{ business_generated = \"Nordljus.example\", locale = \"fr-be\", tags = [\"a\", \"b\"], \
                  encrypt_key = { file = \"e.key\" }, auth_key = { credential = \"a\" } }";
    let split = config(
        "link_expiry = \"30 days\"\n",
        &format!(
            "link = {sealed}\n[[shop.links]]\nlocale = \"DE-at\"\nto = {{ unique = \"nordljus.example\", secret = {{ file = \"u.key\" }} }}\n\
             [[shop.links]]\nshare = 40\nto = \"own\"\n[[shop.links]]\nshare = 60\nto = \"https://r.example/{{stars}}\"\n"
        ),
    );
    let shop = &split.shops[0];
    assert_eq!(split.link_expiry, DAY * 30);
    assert_eq!(
        shop.link,
        LinkTo::BusinessGenerated {
            domain: "nordljus.example".to_owned(),
            locale: Some("fr-be".to_owned()),
            tags: vec!["a".to_owned(), "b".to_owned()],
            encrypt_key: Secret::File(PathBuf::from("/etc/invited/e.key")),
            auth_key: Secret::Credential("a".to_owned()),
        }
    );
    let shown = shop.links.iter().map(|link| (link.locale.as_deref(), link.share, link.to.to_string()));
    assert_eq!(
        shown.collect::<Vec<_>>(),
        [
            (Some("de-AT"), None, "nordljus.example at Trustpilot (Unique Links)".to_owned()),
            (None, Some(40), "the pages of this service".to_owned()),
            (None, Some(60), "https://r.example/{stars}".to_owned()),
        ]
    );
    let rotated =
        parsed(&MINIMAL.replace(
            "[[relay]]",
            "[[link_key]]\nid = 2\nsecret = { file = \"2.key\" }\n[[link_key]]\nid = 1\n[[relay]]",
        ));
    let two = LinkKey { id: 2, secret: Some(Secret::File(PathBuf::from("/etc/invited/2.key"))) };
    assert_eq!(rotated.link_keys, [two, LinkKey { id: 1, secret: None }]);
}

#[test]
fn debug_output_has_no_secret() {
    let shown = format!("{:?}", parsed(MINIMAL));
    assert!(shown.contains("[1 not shown]") && !shown.contains("writeyourown"), "{shown}");
}

#[test]
fn a_first_configuration_says_what_was_answered() {
    let mut answers = Answers::new("www.Nordljus.example", "0123456789abcdef");
    let config = parsed(&template(&answers));
    let shop = &config.shops[0];
    assert_eq!(config.bcc_address(shop), "nordljus+0123456789abcdef@invited.nordljus.example");
    assert_eq!((shop.name.as_str(), shop.from.as_str()), ("Nordljus", "reviews@nordljus.example"));
    assert_eq!(config.database, Database::Sqlite(PathBuf::from("/etc/invited/invited.db")));
    assert_eq!(
        (config.door.hostname.as_str(), config.relays[0].host.as_str()),
        ("invited.nordljus.example", "localhost")
    );

    answers = Answers {
        pages: Some(("https://reviews.example.com".to_owned(), "127.0.0.1:8091".to_owned())),
        database: "/srv/a \"b\"\\c.db".to_owned(),
        master_key: "/srv/it's.key".to_owned(),
        ingest_domain: "in.example.com".to_owned(),
        listen: "[::1]:2626".to_owned(),
        hostname: "mail.example.com".to_owned(),
        relay: "smtps://relay.example.com".to_owned(),
        shop: "shop-2".to_owned(),
        shop_name: "Bob's \"Best\" # \u{1f980}\u{7f}".to_owned(),
        shop_domain: "b\u{fc}cher.example".to_owned(),
        secret: "fedcba9876543210".to_owned(),
        from: "\"B\u{fc}cher\" <mail@b\u{fc}cher.example>".to_owned(),
        link: "https://example.com/?a='{reference}'".to_owned(),
        locale: "de-AT".to_owned(),
        timezone: "Europe/Vienna".to_owned(),
        delay: DAY * 14,
        at_any_hour: true,
        believe_address: true,
    };
    let text = template(&answers);
    let config = parsed(&text);
    let shop = &config.shops[0];
    assert_eq!(config.database, Database::Sqlite(PathBuf::from(&answers.database)));
    assert_eq!(config.master_key, Secret::File(PathBuf::from(&answers.master_key)));
    assert_eq!(config.door.listeners, [Listener::plain(answers.listen.parse().unwrap())]);
    assert_eq!((&config.ingest_domain, &config.door.hostname), (&answers.ingest_domain, &answers.hostname));
    assert_eq!((config.relays[0].host.as_str(), config.relays[0].tls), ("relay.example.com", Tls::Implicit));
    assert_eq!((shop.id.as_str(), shop.name.as_str()), ("shop-2", "Bob's \"Best\" # \u{1f980}"));
    assert_eq!(shop.domains, ["xn--bcher-kva.example"]);
    assert_eq!(shop.trust.address, NewSenders::Accept);
    assert_eq!((&shop.secrets[0], &shop.link.to_string()), (&answers.secret, &answers.link));
    assert_eq!((shop.from_name.as_str(), shop.from.as_str()), ("B\u{fc}cher", "mail@xn--bcher-kva.example"));
    assert_eq!((shop.locale.as_str(), shop.zone.name(), shop.rules.base.delay), ("de-AT", "Europe/Vienna", DAY * 14));
    assert_eq!(text.lines().count(), EXAMPLE.lines().count(), "an answer has broken a line, or got lost");
}

#[test]
fn a_wrong_answer_is_a_problem_and_not_another_key() {
    let mut answers = Answers::new("nordljus.example", "0123456789abcdef");
    answers.shop_name = "x\"\nhold_all = true\n#".to_owned();
    answers.timezone = "Mars".to_owned();
    let problems = parse(&Document::new("x.toml", template(&answers)), Path::new("")).unwrap_err();
    let keys = problems.iter().map(|problem| problem.key.as_str()).collect::<Vec<_>>();
    assert_eq!(keys, ["shop[0].timezone"]);
}

#[test]
fn the_dns_is_told_per_domain_and_never_guesses() {
    let shown = |config: &Config| dns_records(config).iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        shown(&parsed(MINIMAL)),
        [
            "invited.nordljus.example. IN MX 10 invited.nordljus.example. ; copies come in here",
            "invited.nordljus.example. IN A <public IPv4 address> ; the host of the MX record",
            "invited.nordljus.example. IN AAAA <public IPv6 address> ; the same, if it has one",
            "invited.nordljus.example. IN TXT \"v=spf1 a:invited.nordljus.example ~all\" ; SPF: letters have return addresses \
             here, so that bounces come in",
            "nordljus.example. IN TXT \"v=spf1 a:invited.nordljus.example ~all\" ; SPF: this host sends letters; if there is an \
             SPF record, add only a:invited.nordljus.example to it",
            "<selector>._domainkey.nordljus.example. IN TXT \"v=DKIM1; p=<public key>\" ; DKIM: the key that this host signs \
             letters with",
            "_dmarc.nordljus.example. IN TXT \"v=DMARC1; p=none\" ; DMARC: large mailbox providers ask for one; keep a stricter \
             one that is there",
        ]
    );
    let text = MINIMAL
        .replace("[[relay]]\n", "[smtp]\nlisten = [\"8.8.4.4:25\", \"[2a01:4f8::7]:25\", \"10.0.0.1:25\"]\nhostname = \"mail.nordljus.example\"\n[[relay]]\n")
        .replace("smtp://localhost:25", "smtp://9.9.9.9");
    let shown = shown(&parsed(&text));
    assert_eq!(shown[1], "mail.nordljus.example. IN A 8.8.4.4 ; the host of the MX record");
    assert_eq!(shown[2], "mail.nordljus.example. IN AAAA 2a01:4f8::7 ; the host of the MX record");
    for (place, domain) in [(3, "invited.nordljus.example"), (4, "nordljus.example")] {
        let record = format!("{domain}. IN TXT \"v=spf1 ip4:9.9.9.9 ~all\"");
        assert!(shown[place].starts_with(&record), "{}", shown[place]);
    }
    assert_eq!(shown.len(), 7);
    let from = dns_records(&parsed(&text.replace("[[relay]]\n", "[[relay]]\nreturn_path = \"from\"\n")));
    assert_eq!(from.len(), 6, "no letter has an address at the ingest domain");

    let shop = MINIMAL.split_once("[[shop]]").map_or("", |(_, shop)| shop);
    let second = shop.replace("\"nordljus\"", "\"kids\"").replace("writeyourownhere0123", "anotherofyourown4567");
    let config = with(&format!("[[shop]]{second}"));
    assert_eq!(
        (config.shops.len(), dns_records(&config).len()),
        (2, 7),
        "two shops of one domain need its records once"
    );
}

proptest::proptest! {
    /// What a slip of the hand makes of a configuration is a configuration or a list of problems with places, and no panic.
    #[test]
    fn a_slip_of_the_hand_is_reported(slips in proptest::collection::vec((0_usize..20_000, proptest::char::any()), 1..4)) {
        let mut text = switched(|_| true).lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n");
        for (at, typed) in slips {
            let at = text.floor_char_boundary(at % text.len());
            text.replace_range(at..text.ceil_char_boundary(at + 1), typed.encode_utf8(&mut [0; 4]));
        }
        if let Err(problems) = parse(&Document::new("x.toml", text), Path::new("")) {
            proptest::prop_assert!(!problems.is_empty());
            proptest::prop_assert!(problems.iter().all(|problem| problem.line > 0 && problem.column > 0));
        }
    }
}
