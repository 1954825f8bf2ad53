//! `headwater key`: makes, lists, rotates and revokes credentials.
//!
//! Guarantees: `create` and `rotate` print the key alone, once (`username:password` of a basic credential); nothing else
//! ever prints a key.

use anyhow::Context;
use serde_json::{Map, Value, json};

use crate::client::{Client, ServerArgs};
use crate::{config, job, output};

/// What to do with keys.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key and print it alone
    Create(Box<CreateArgs>),
    /// List the credentials
    List(ListArgs),
    /// Give a credential a new key and print it alone
    Rotate(RotateArgs),
    /// Revoke a credential
    Revoke(RevokeArgs),
}

/// Arguments of `key create`.
#[derive(Debug, clap::Args)]
pub(crate) struct CreateArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// What the key is for
    #[arg(long)]
    label: Option<String>,
    /// Full access
    #[arg(long)]
    admin: bool,
    /// Actions by collection, for instance 'orders=read,create;*=read'
    #[arg(long, value_name = "GRANTS")]
    collections: Option<String>,
    /// Life time, for instance 30d
    #[arg(long, value_name = "DURATION")]
    ttl: Option<String>,
    /// A key for web pages, bound to origins
    #[arg(long, conflicts_with = "basic")]
    web: bool,
    /// A name with a password instead of a key; printed as username:password
    #[arg(long)]
    basic: bool,
    /// The user whose key it is, by id
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// A role that the key has, the first that matches wins; repeatable
    #[arg(long, value_name = "ROLE", value_delimiter = ',')]
    role: Vec<String>,
    /// An origin that the key may be used from, * for any; repeatable
    #[arg(long, value_name = "ORIGIN", value_delimiter = ',')]
    origin: Vec<String>,
    /// A page that requests must come from, for instance https://shop.example/*; repeatable
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    referer: Vec<String>,
    /// A network that requests must come from, for instance 10.0.0.0/8; repeatable
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    network: Vec<String>,
    /// A kind of requests that the key opens, for instance get,search,stream; repeatable
    #[arg(long, value_name = "ACL", value_delimiter = ',')]
    acl: Vec<String>,
    /// Most requests of one address in an hour
    #[arg(long, value_name = "NUMBER")]
    per_ip_per_hour: Option<u32>,
    /// A path pattern that the key opens; repeatable
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    path: Vec<String>,
    /// Methods that the key may use, for instance GET,POST
    #[arg(long, value_name = "METHODS", value_delimiter = ',')]
    methods: Vec<String>,
    /// Events that the key hears and publishes at /realtime, for instance POST:chat,answer; true for what its other rights allow
    #[arg(long, value_name = "EVENTS", value_delimiter = ',')]
    realtime: Vec<String>,
}

/// Arguments of `key list`.
#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// Print JSON Lines
    #[arg(long)]
    json: bool,
}

/// Arguments of `key revoke`.
#[derive(Debug, clap::Args)]
pub(crate) struct RevokeArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// The credential's id
    id: String,
}

/// Arguments of `key rotate`.
#[derive(Debug, clap::Args)]
pub(crate) struct RotateArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// The credential's id
    id: String,
    /// How long the old key goes on working, for instance 1h
    #[arg(long, value_name = "DURATION")]
    grace: Option<String>,
}

/// Runs the command.
pub(crate) async fn run(command: KeyCommand) -> anyhow::Result<()> {
    match command {
        KeyCommand::Create(args) => create(&args).await,
        KeyCommand::List(args) => list(&args).await,
        KeyCommand::Rotate(args) => rotate(&args).await,
        KeyCommand::Revoke(args) => {
            let client = Client::new(&args.server)?;
            client.delete(&["v1", "credentials", &args.id]).await?;
            output::line(format_args!("revoked {}", args.id))?;
            Ok(())
        }
    }
}

async fn create(args: &CreateArgs) -> anyhow::Result<()> {
    let wish = credential(args)?;
    let answer: Value = Client::new(&args.server)?.post(&["v1", "credentials"], &wish).await?;
    output::line(secret(&answer)?)?;
    Ok(())
}

async fn rotate(args: &RotateArgs) -> anyhow::Result<()> {
    let grace = args.grace.as_deref().map(config::duration).transpose();
    let grace = grace.map_err(|message| anyhow::anyhow!("--grace: {message}"))?.unwrap_or_default();
    let client = Client::new(&args.server)?;
    let grace = grace.as_secs().to_string();
    let path = ["v1", "credentials", &args.id, "rotate"];
    let request = client.request(reqwest::Method::POST, &path, &[("grace_seconds", &grace)]);
    let answer: Value = client.json(request).await?;
    output::line(secret(&answer)?)?;
    Ok(())
}

/// The secret in an answer: a key, or a name with its password.
fn secret(answer: &Value) -> anyhow::Result<String> {
    if let Some(key) = answer["key"].as_str() {
        return Ok(key.to_owned());
    }
    let password = answer["password"].as_str().context("the server's answer holds no key")?;
    let username = answer["username"].as_str().context("the server's answer holds no username")?;
    Ok(format!("{username}:{password}"))
}

async fn list(args: &ListArgs) -> anyhow::Result<()> {
    let client = Client::new(&args.server)?;
    let mut cursor: Option<String> = None;
    loop {
        let query: Vec<(&str, &str)> = cursor.iter().map(|at| ("cursor", at.as_str())).collect();
        let page: Value = client.get(&["v1", "credentials"], &query).await?;
        if !args.json && cursor.is_none() {
            output::line(format_args!(
                "{:<26} {:<6} {:<24} {:<25} GRANT",
                "ID", "KIND", "EXPIRES", "LABEL"
            ))?;
        }
        for credential in page["credentials"].as_array().into_iter().flatten() {
            if args.json {
                output::line(credential)?;
            } else {
                output::line(row(credential))?;
            }
        }
        match page["next"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => return Ok(()),
        }
    }
}

fn row(credential: &Value) -> String {
    let member = |name: &str| match &credential[name] {
        Value::Null => "-".to_owned(),
        value => job::id_text(value),
    };
    format!(
        "{:<26} {:<6} {:<24} {:<25} {}",
        member("id"),
        member("kind"),
        member("expires_at"),
        member("label"),
        credential["grant"]
    )
}

/// The body of `POST /v1/credentials`.
fn credential(args: &CreateArgs) -> anyhow::Result<Value> {
    let mut grant = Map::new();
    if args.admin {
        grant.insert("admin".to_owned(), json!(true));
    }
    if let Some(text) = &args.collections {
        grant.insert("collections".to_owned(), Value::Object(collections(text)?));
    }
    for (member, list) in [
        ("origins", &args.origin),
        ("referers", &args.referer),
        ("networks", &args.network),
        ("paths", &args.path),
        ("methods", &args.methods),
        ("acls", &args.acl),
        ("roles", &args.role),
    ] {
        if !list.is_empty() {
            grant.insert(member.to_owned(), json!(list));
        }
    }
    anyhow::ensure!(
        !args.web || !args.origin.is_empty(),
        "--web needs --origin, the pages that the key is for"
    );
    anyhow::ensure!(args.web || args.origin.is_empty(), "--origin binds web keys only; add --web");
    match args.realtime.as_slice() {
        [] => {}
        [one] if one == "true" || one == "false" => {
            grant.insert("realtime".to_owned(), json!(one == "true"));
        }
        list => drop(grant.insert("realtime".to_owned(), json!(list))),
    }
    if let Some(number) = args.per_ip_per_hour {
        grant.insert("rate_limit".to_owned(), json!({"per_ip_per_hour": number}));
    }
    let opens = ["admin", "collections", "paths", "methods", "acls", "roles", "realtime"];
    anyhow::ensure!(
        args.user.is_some() || opens.iter().any(|member| grant.contains_key(*member)),
        "a key that allows nothing: give --admin, --collections, --role, --path, --methods, --acl or --realtime"
    );
    let kind = match (args.web, args.basic) {
        (true, _) => "web",
        (_, true) => "basic",
        _ => "key",
    };
    let mut wish = json!({"kind": kind});
    if !grant.is_empty() {
        wish["grant"] = Value::Object(grant);
    }
    if let Some(user) = &args.user {
        wish["user"] = json!(user);
    }
    if let Some(label) = &args.label {
        wish["label"] = json!(label);
    }
    if let Some(ttl) = &args.ttl {
        let ttl = config::duration(ttl).map_err(|message| anyhow::anyhow!("--ttl: {message}"))?;
        anyhow::ensure!(ttl.as_secs() > 0, "--ttl must be at least 1s");
        wish["ttl_seconds"] = json!(ttl.as_secs());
    }
    Ok(wish)
}

/// Reads `orders=read,create;*=read`.
fn collections(text: &str) -> anyhow::Result<Map<String, Value>> {
    let mut grants = Map::new();
    for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
        let (name, actions) = part
            .split_once('=')
            .with_context(|| format!("--collections: `{part}` is not like orders=read,create"))?;
        let name = name.trim();
        let actions: Vec<&str> =
            actions.split(',').map(str::trim).filter(|action| !action.is_empty()).collect();
        anyhow::ensure!(!name.is_empty(), "--collections: `{part}` names no collection");
        anyhow::ensure!(!actions.is_empty(), "--collections: `{part}` names no action");
        let before = grants.insert(name.to_owned(), json!(actions));
        anyhow::ensure!(before.is_none(), "--collections: `{name}` is there twice");
    }
    anyhow::ensure!(!grants.is_empty(), "--collections is empty");
    Ok(grants)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        create: CreateArgs,
    }

    fn parse(words: &[&str]) -> CreateArgs {
        Line::try_parse_from(["create"].iter().chain(words)).unwrap().create
    }

    #[test]
    fn grants_are_actions_by_collection() {
        let grants = collections("orders=read,create; *=read;").unwrap();
        assert_eq!(Value::Object(grants), json!({"orders": ["read", "create"], "*": ["read"]}));
    }

    #[test]
    fn malformed_grants_are_refused_and_quoted() {
        for text in ["orders", "=read", "orders=", "", "a=read;a=create"] {
            let message = collections(text).expect_err(text).to_string();
            assert!(message.starts_with("--collections"), "{message}");
        }
    }

    #[test]
    fn a_credential_holds_what_was_asked_for() {
        let args = parse(&[
            "--web",
            "--origin",
            "https://shop.example",
            "--path",
            "/rest/**",
            "--methods",
            "GET",
            "--realtime",
            "POST:chat,answer",
            "--label",
            "shop",
            "--ttl",
            "30d",
        ]);
        let expected = json!({
            "kind": "web", "label": "shop", "ttl_seconds": 2_592_000,
            "grant": {
                "origins": ["https://shop.example"], "paths": ["/rest/**"], "methods": ["GET"],
                "realtime": ["POST:chat", "answer"],
            },
        });
        assert_eq!(credential(&args).unwrap(), expected);
    }

    #[test]
    fn a_key_for_nothing_is_refused() {
        assert!(credential(&parse(&[])).is_err());
        assert!(credential(&parse(&["--web"])).unwrap_err().to_string().contains("--origin"));
    }
}
