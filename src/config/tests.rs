//! What wins over what, what is refused, and that the documented defaults are the real ones.

use figment::value::{Dict, Value};

use super::*;

fn load(flags: &Flags, variables: &[(&str, &str)]) -> anyhow::Result<Config> {
    let variables =
        variables.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    Config::load(flags, &variables)
}

fn file(text: &str) -> (tempfile::TempDir, Flags) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("headwater.toml");
    std::fs::write(&path, text).unwrap();
    (directory, Flags { config: Some(path), ..Flags::default() })
}

fn refusal(flags: &Flags, variables: &[(&str, &str)]) -> String {
    load(flags, variables).expect_err("must be refused").to_string()
}

#[test]
fn the_default_file_states_the_defaults_of_the_engine_and_every_key() {
    let config = load(&Flags::default(), &[]).unwrap();
    assert_eq!(config.limits, Limits::default());
    assert_eq!(config.server.data, Path::new("./headwater-data"));
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:7117");
    assert_eq!(config.webhooks.retry_schedule.len(), 10);
    assert_eq!(config.log.retention_bytes, None);
    let webhooks = headwater_engine::webhook::Options::default();
    assert_eq!(config.webhooks.concurrency, webhooks.concurrency);
    assert_eq!(config.webhooks.concurrency_total, webhooks.concurrency_total);
    assert_eq!(config.webhooks.failing_per_second, webhooks.failing_per_second);
    assert_eq!(config.webhooks.outstanding_max, webhooks.outstanding_max);
    assert_eq!(config.webhooks.dead_max, webhooks.dead_max);
    let commit_ms = u128::from(config.webhooks.commit_interval_ms);
    assert_eq!(commit_ms, webhooks.commit_interval.as_millis());
    assert_eq!(u128::from(config.webhooks.drain_ms), webhooks.drain.as_millis());
    let api = headwater_api::ApiOptions::default();
    assert_eq!(u128::from(config.server.heartbeat_ms), api.heartbeat.as_millis());
    assert_eq!(config.server.http2_streams, api.http2_streams);
    assert_eq!(config.restdb.database, api.database);
    assert_eq!(config.restdb.public_schema, api.public_schema);
    let store = headwater_engine::view::StoreOptions::default();
    let sizes = (config.views.cache_bytes, config.views.table_bytes);
    assert_eq!(sizes, (store.cache_bytes, store.table_bytes));
    let maintenance = headwater_engine::view::MaintenanceOptions::default();
    assert_eq!(config.views.memtable_bytes, maintenance.memtable_bytes);
    assert_eq!(config.security.key(), None);
    let written: Dict = Figment::from(Toml::string(DEFAULT)).extract_inner("limits").unwrap();
    let known = Value::serialize(Limits::default()).unwrap().into_dict().unwrap();
    let written: Vec<&String> = written.keys().collect();
    assert_eq!(written, known.keys().collect::<Vec<_>>(), "config.default.toml lacks a limit");
}

#[test]
fn flags_win_over_environment_over_file_over_defaults() {
    let (_directory, mut flags) = file("[server]\nlisten = \"127.0.0.1:1\"\ndata = \"a\"\n");
    assert_eq!(load(&flags, &[]).unwrap().server.listen.port(), 1);
    let section = ("HEADWATER_SERVER__LISTEN", "127.0.0.1:2");
    assert_eq!(load(&flags, &[section]).unwrap().server.listen.port(), 2);
    let named = ("HEADWATER_LISTEN", "127.0.0.1:3");
    assert_eq!(load(&flags, &[section, named]).unwrap().server.listen.port(), 3);
    flags.listen = Some("127.0.0.1:4".to_owned());
    let config = load(&flags, &[section, named]).unwrap();
    assert_eq!(config.server.listen.port(), 4);
    assert_eq!(config.server.data, Path::new("a"));
}

#[test]
fn the_file_may_be_named_by_the_environment_and_must_exist() {
    let (_directory, flags) = file("[collections]\nstrict = true\n");
    let path = flags.config.unwrap();
    let named = [("HEADWATER_CONFIG", path.to_str().unwrap())];
    assert!(load(&Flags::default(), &named).unwrap().collections.strict);
    let missing = [("HEADWATER_CONFIG", "no/such.toml")];
    assert!(refusal(&Flags::default(), &missing).contains("no/such.toml"));
}

#[test]
fn variables_of_others_are_left_alone() {
    let others = [
        ("HEADWATER_LONG", "1"),
        ("HEADWATER_SEED", "42"),
        ("HEADWATER_QUERY_CASES", "file"),
        ("HEADWATER_URL", "http://127.0.0.1:1"),
        ("HEADWATER_KEY", "hw_x"),
        ("HEADWATER_DATA", ""),
    ];
    assert_eq!(load(&Flags::default(), &others).unwrap(), load(&Flags::default(), &[]).unwrap());
}

#[test]
fn an_unknown_key_is_named_with_its_source() {
    let message = refusal(&Flags::default(), &[("HEADWATER_LIMITS__BODY_SIZE", "1")]);
    assert!(message.contains("body_size") && message.contains("environment"), "{message}");
    let message = refusal(&Flags::default(), &[("HEADWATER_LIMIT__BODY_BYTES", "1")]);
    assert!(message.contains("limit"), "{message}");
    let (_directory, flags) = file("[webhooks]\nretries = 3\n");
    let message = refusal(&flags, &[]);
    assert!(message.contains("retries") && message.contains("headwater.toml"), "{message}");
}

#[test]
fn a_wrong_value_is_named_by_its_key() {
    let message = refusal(&Flags::default(), &[("HEADWATER_LIMITS__BODY_BYTES", "lots")]);
    assert!(message.contains("limits.body_bytes"), "{message}");
    let message = refusal(&Flags::default(), &[("HEADWATER_WEBHOOKS__ALLOW_NETWORKS", "home")]);
    assert!(message.contains("allow_networks") && message.contains("`home`"), "{message}");
    let message = refusal(&Flags::default(), &[("HEADWATER_LOG__DURABILITY", "never")]);
    assert!(message.contains("log.durability"), "{message}");
}

#[test]
fn lists_durations_and_sizes_are_read_from_text() {
    let variables = [
        ("HEADWATER_WEBHOOKS__ALLOW_NETWORKS", "127.0.0.0/8, ::1"),
        ("HEADWATER_WEBHOOKS__RETRY_SCHEDULE", "0s,100ms,1s"),
        ("HEADWATER_WEBHOOKS__TIMEOUT_MS", "2s"),
        ("HEADWATER_LOG__RETENTION_SECONDS", "7d"),
        ("HEADWATER_LOG__RETENTION_BYTES", "10GiB"),
        ("HEADWATER_LIMITS__DISK_RESERVE", "1MiB"),
    ];
    let config = load(&Flags::default(), &variables).unwrap();
    assert_eq!(config.webhooks.allow_networks.len(), 2);
    assert_eq!(config.webhooks.retry_schedule[1], Duration::from_millis(100));
    assert_eq!(config.webhooks.timeout_ms, 2000);
    assert_eq!(config.log.retention_seconds, Some(7 * 86_400));
    assert_eq!(config.log.retention_bytes, Some(10 << 30));
    assert_eq!(config.limits.disk_reserve, 1 << 20);
    let (_directory, flags) = file("[webhooks]\nretry_schedule = [\"0s\", 5]\n");
    let schedule = load(&flags, &[]).unwrap().webhooks.retry_schedule;
    assert_eq!(schedule, [Duration::ZERO, Duration::from_secs(5)]);
    let one = [("HEADWATER_WEBHOOKS__RETRY_SCHEDULE", "3")];
    let schedule = load(&Flags::default(), &one).unwrap().webhooks.retry_schedule;
    assert_eq!(schedule, [Duration::from_secs(3)]);
}

#[test]
fn nonsense_is_refused_by_key() {
    let cases = [
        ("HEADWATER_LOG__SEGMENT_BYTES", "1", "log.segment_bytes"),
        ("HEADWATER_LIMITS__WRITE_QUEUE", "0", "limits.write_queue"),
        ("HEADWATER_TLS__CERT", "cert.pem", "tls.key"),
        ("HEADWATER_LISTEN", "0.0.0.0:80", "server.allow_plain_http"),
        ("HEADWATER_LISTEN", "nowhere", "server.listen"),
        ("HEADWATER_ROOT_KEY", "two words", "server.root_key"),
        ("HEADWATER_SECURITY__OPERATOR_KEY", "0123", "security.operator_key"),
        ("HEADWATER_LIMITS__ID_BYTES", "32769", "limits.id_bytes"),
        ("HEADWATER_LIMITS__GROUP_BYTES", "1GiB", "limits.group_bytes"),
        ("HEADWATER_LIMITS__DOCUMENT_BYTES", "257MiB", "limits.document_bytes"),
        ("HEADWATER_LIMITS__BODY_BYTES", "2GiB", "limits.body_bytes"),
        ("HEADWATER_SERVER__HEARTBEAT_MS", "20s", "server.heartbeat_ms"),
        ("HEADWATER_VIEWS__TABLE_BYTES", "0", "views.table_bytes"),
        ("HEADWATER_WEBHOOKS__CONCURRENCY", "0", "webhooks.concurrency"),
        ("HEADWATER_WEBHOOKS__DRAIN_MS", "1min", "webhooks.drain_ms"),
        ("HEADWATER_WEBHOOKS__MISSING_STORE", "guess", "webhooks.missing_store"),
        ("HEADWATER_WEBHOOKS__RETRY_SCHEDULE", "", "webhooks.retry_schedule"),
        ("HEADWATER_WEBHOOKS__TIMEOUT_MS", "0", "webhooks.timeout_ms"),
    ];
    for (name, text, key) in cases {
        let message = refusal(&Flags::default(), &[(name, text)]);
        assert!(message.contains(key), "{name}={text}: {message}");
    }
}

#[test]
fn a_root_key_of_digits_stays_text_and_is_never_shown() {
    let config = load(&Flags::default(), &[("HEADWATER_ROOT_KEY", "00123456789")]).unwrap();
    assert_eq!(config.server.root_key, Some(Secret::new("00123456789")));
    assert!(!format!("{config:?}").contains("00123456789"));
    let digits = "1".repeat(64);
    let variable = ("HEADWATER_SECURITY__OPERATOR_KEY", &*digits);
    let config = load(&Flags::default(), &[variable]).unwrap();
    assert!(config.security.key().is_some());
    assert!(!format!("{config:?}").contains(&digits));
    assert!(load(&Flags::default(), &[("HEADWATER_ROOT_KEY", "k")]).is_ok());
}

#[test]
fn plain_http_elsewhere_is_a_decision() {
    let flags =
        Flags { listen: Some("0.0.0.0:0".to_owned()), allow_plain_http: true, ..Flags::default() };
    assert!(load(&flags, &[]).unwrap().server.allow_plain_http);
}
