//! Windows against a sorted list of which the first are taken.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::limits::Limits;
use crate::query::{Context, Sort, Trust};
use crate::value::{json, key};

const SORTS: [Option<&str>; 6] = [
    None,
    Some(r#"{"a":1}"#),
    Some(r#"{"a":-1,"b":1}"#),
    Some(r#"{"tags":-1}"#),
    Some(r#"{"_id":-1,"a":1}"#),
    Some(r#"{"b":1,"_id":-1}"#),
];

/// All documents of a result, and how often a window had to be filled from them.
struct Model {
    order: Order,
    documents: BTreeMap<i64, Bytes>,
    refills: u32,
}

fn encoded(text: &str) -> Bytes {
    json::parse_value(text.as_bytes(), &Limits::default()).unwrap().into()
}

fn order(sort: Option<&str>) -> Order {
    let limits = Limits::default();
    let context = Context { limits: &limits, now_ms: 0, trust: Trust::Ordinary };
    Order::new(sort.map(|sort| Sort::parse(Raw::trusted(&encoded(sort)), &context).unwrap()))
}

fn document(random: &mut StdRng, id: i64) -> Bytes {
    let a = ["1", "2", "3", "null", "\"x\""][random.random_range(0..5)];
    let tags = ["[]", "[1,5]", "[3]", "2", "null"][random.random_range(0..5)];
    let b = random.random_range(0..4);
    encoded(&format!(r#"{{"_id":{id},"a":{a},"b":{b},"tags":{tags}}}"#))
}

impl Model {
    fn sorted(&self) -> Vec<WindowRow> {
        self.order.rows(self.documents.values().cloned()).unwrap()
    }

    fn filled(&mut self, limit: usize, random: &mut StdRng) -> Window {
        self.refills += 1;
        // A query may be asked for less than the capacity where documents are large.
        let most = random.random_range(limit..=capacity(limit));
        let all = self.sorted();
        let more = all.len() > most;
        let first = all.into_iter().take(most).map(|row| row.document).collect();
        Window::new(self.order.clone(), limit, first, more).unwrap()
    }
}

/// A subscriber's picture, kept by the steps alone.
#[derive(Default)]
struct Picture(BTreeMap<Vec<u8>, Bytes>);

impl Picture {
    fn take(&mut self, steps: Vec<Step>) {
        for step in steps {
            match step {
                Step::Leave(row, _) => assert!(self.0.remove(&row.place.id_key).is_some()),
                Step::Update(row) => {
                    assert!(self.0.insert(row.place.id_key, row.document).is_some());
                }
                Step::Enter(row) => {
                    assert!(self.0.insert(row.place.id_key, row.document).is_none());
                }
            }
        }
    }

    fn is(&self, rows: &[WindowRow]) -> bool {
        let rows = rows.iter().map(|row| (row.place.id_key.clone(), row.document.clone()));
        self.0 == rows.collect()
    }
}

fn round(seed: u64) -> u32 {
    let mut random = StdRng::seed_from_u64(seed);
    let order = order(SORTS[random.random_range(0..SORTS.len())]);
    let mut model = Model { order, documents: BTreeMap::new(), refills: 0 };
    let limit = random.random_range(1..6);
    let ids = random.random_range(3..200);
    for id in 0..random.random_range(0..ids) {
        model.documents.insert(id, document(&mut random, id));
    }
    let mut window = model.filled(limit, &mut random);
    let mut picture = Picture::default();
    picture.take(difference(&[], window.told(), |_| unreachable!()).unwrap());
    for turn in 0..400 {
        let id = random.random_range(0..ids);
        // Waves of deletions empty the reserve.
        let is_gone = random.random_bool(if turn / 50 % 2 == 0 { 0.1 } else { 0.9 });
        let target = if is_gone { window.told().first() } else { None };
        let id = target.map_or(id, |row| row.id().as_i64().unwrap());
        let after = if is_gone { Err(Reason::Deleted) } else { Ok(document(&mut random, id)) };
        let before = match &after {
            Ok(document) => model.documents.insert(id, document.clone()),
            Err(_) => model.documents.remove(&id),
        };
        if before.is_none() && after.is_err() {
            continue;
        }
        match window.apply(before.as_deref().map(Raw::trusted), after).unwrap() {
            Some(steps) => picture.take(steps),
            None => {
                let next = model.filled(limit, &mut random);
                let why = |_: &WindowRow| Ok(Reason::Deleted);
                picture.take(difference(window.told(), next.told(), why).unwrap());
                window = next;
            }
        }
        let expected: Vec<_> = model.sorted().into_iter().take(limit).collect();
        assert_eq!(window.told(), expected, "HEADWATER_SEED={seed}");
        assert!(picture.is(&expected), "HEADWATER_SEED={seed}");
    }
    model.refills
}

#[test]
fn a_window_is_what_a_query_would_find() {
    let given = std::env::var("HEADWATER_SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds: Vec<u64> =
        given.map_or_else(|| (0..60).map(|_| rand::random()).collect(), |one| vec![one]);
    let refills: u32 = seeds
        .iter()
        .map(|seed| {
            let seed = *seed;
            std::panic::catch_unwind(|| round(seed))
                .unwrap_or_else(|_| panic!("again: HEADWATER_SEED={seed}"))
        })
        .sum();
    assert!(given.is_some() || refills > 100, "windows were hardly ever filled again: {refills}");
}

#[test]
fn what_is_pushed_out_leaves_by_the_window() {
    let first = [1, 2].map(|id| encoded(&format!(r#"{{"_id":{id},"a":{id}}}"#)));
    let mut window = Window::new(order(Some(r#"{"a":1}"#)), 2, first.to_vec(), false).unwrap();
    let new = encoded(r#"{"_id":3,"a":0}"#);
    let steps = window.apply(None, Ok(new.clone())).unwrap().unwrap();
    assert!(matches!(&steps[..], [Step::Leave(out, Reason::Window), Step::Enter(came)]
        if out.id().as_i64() == Some(2) && came.document == new));
    let moved = encoded(r#"{"_id":1,"a":9}"#);
    let steps = window.apply(Some(Raw::trusted(&first[0])), Ok(moved)).unwrap().unwrap();
    assert!(matches!(&steps[..], [Step::Leave(out, Reason::Window), Step::Enter(came)]
        if out.id().as_i64() == Some(1) && came.id().as_i64() == Some(2)));
    let steps = window.apply(Some(Raw::trusted(&new)), Err(Reason::Filter)).unwrap().unwrap();
    assert!(matches!(&steps[..], [Step::Leave(_, Reason::Filter), Step::Enter(came)]
        if came.place.id_key == key::encode(Raw::trusted(&encoded("1")))));
}

#[test]
fn a_window_that_is_too_large_is_refused() {
    let large = "x".repeat(3 << 20);
    let document = |id: u32| encoded(&format!(r#"{{"_id":{id},"a":"{large}"}}"#));
    let first: Vec<Bytes> = (0..3).map(document).collect();
    let refused = Window::new(order(None), 3, first.clone(), false).unwrap_err();
    assert_eq!(refused.code(), "limit_exceeded");
    // The reserve gives way.
    let mut window = Window::new(order(None), 2, first, false).unwrap();
    assert_eq!(window.told().len(), 2);
    let gone = document(0);
    assert!(window.apply(Some(Raw::trusted(&gone)), Err(Reason::Deleted)).unwrap().is_none());
    assert_eq!(window.apply(None, Ok(document(9))).unwrap(), Some(Vec::new()));
}
