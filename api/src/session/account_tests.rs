//! What anybody may ask for without a credential is counted by address, and requests for a new password by account.

use std::net::IpAddr;

use http::{StatusCode, header};

use super::{Asker, Client, UserChanges, begin_anonymous, begin_reset, confirm_reset, sign_up};
use crate::auth::AccessOptions;
use crate::auth::people::{People, prepare};
use crate::auth::testing::{self, Scratch};
use crate::error::ApiError;
use axum::response::IntoResponse;

const LOOPBACK: &str = "127.0.0.1";
const FAR: &str = "192.0.2.7";

fn people(scratch: &Scratch) -> People {
    let options = AccessOptions {
        anonymous: true,
        failures_per_address_per_minute: 2,
        failures_per_account: 3,
        ..AccessOptions::default()
    };
    People::new(&scratch.vault, options)
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

async fn ask(scratch: &Scratch, people: &People, what: &str, from: &str) -> Result<(), ApiError> {
    let (engine, from) = (&scratch.engine, address(from));
    match what {
        "sign-up" => sign_up(engine, people, UserChanges::default(), from).await.map(drop),
        "reset" => {
            begin_reset(engine, people, &format!("{:?}", engine.new_id()), Asker::Anybody(from))
                .map(drop)
        }
        "confirm" => {
            let password = "another password".to_owned();
            match confirm_reset(engine, people, "no token", password, from).await {
                Err(error) if error.code() == "invalid_reset_token" => Ok(()),
                other => other.map(drop),
            }
        }
        _ => {
            let client = Client { address: Some(from), agent: None };
            begin_anonymous(engine, people, client).await.map(drop)
        }
    }
}

fn is_throttled(answer: Result<(), ApiError>) -> bool {
    let Err(error) = answer else { return false };
    assert_eq!(error.status(), StatusCode::TOO_MANY_REQUESTS);
    error.into_response().headers().contains_key(header::RETRY_AFTER)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_asks_for_so_much_and_loopback_for_any_number() {
    let scratch = testing::engine().await;
    prepare(&scratch.engine).await.unwrap();
    for what in ["sign-up", "reset", "confirm", "anonymous"] {
        let people = people(&scratch);
        for from in [LOOPBACK, "::1", "::ffff:127.0.0.1"] {
            for _ in 0..4 {
                assert!(!is_throttled(ask(&scratch, &people, what, from).await), "{what} {from}");
            }
        }
        for _ in 0..2 {
            assert!(!is_throttled(ask(&scratch, &people, what, FAR).await), "{what}");
        }
        let position = scratch.engine.position();
        assert!(is_throttled(ask(&scratch, &people, what, FAR).await), "{what}");
        assert_eq!(scratch.engine.position(), position, "nothing was written for {what}");
        assert!(!is_throttled(ask(&scratch, &people, what, "192.0.2.8").await), "{what}");
    }
    scratch.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_reset_so_often() {
    let scratch = testing::engine().await;
    prepare(&scratch.engine).await.unwrap();
    let people = people(&scratch);
    let ask = |email: &str, asker| begin_reset(&scratch.engine, &people, email, asker).map(drop);
    let anybody = Asker::Anybody(address(LOOPBACK));
    for email in ["ann@example.org", "Ann@example.org", " ann@EXAMPLE.org"] {
        assert!(!is_throttled(ask(email, anybody)));
    }
    assert!(is_throttled(ask("ann@example.org", anybody)));
    assert!(!is_throttled(ask("bob@example.org", anybody)));
    // What anybody used up is not taken from full access.
    for _ in 0..3 {
        assert!(!is_throttled(ask("ann@example.org", Asker::FullAccess)));
    }
    assert!(is_throttled(ask("ann@example.org", Asker::FullAccess)));
    scratch.stop().await;
}
