//! Whatever comes in: it is told in a form that Slack and mail take, or it is said why not. `PROPTEST_CASES` says how
//! many inputs are tried.

use std::sync::LazyLock;

use proptest::prelude::*;
use wharf_events::{Arrival, Notice, Told};
use wharf_inputs::{Inputs, any_json};
use wharf_notify::{Letter, Message, Series};
use wharf_shell::batch::Batch;

use super::*;

static INPUTS: LazyLock<Inputs> = LazyLock::new(|| Inputs::from_samples().unwrap());

const NOW: jiff::Timestamp = jiff::Timestamp::constant(1_767_603_600, 0);

/// What must hold of an input, as a whole payload or as the body of a message.
fn judge(input: &str) {
    let mut arrivals = Arrival::in_message(input, Some("q-1"));
    if let Ok(payload) = serde_json::from_str::<Value>(input) {
        match Batch::of(&payload) {
            Some(batch) => {
                let bodies = batch.records.iter().filter_map(|record| Some((record.body.as_deref()?, &record.id)));
                arrivals.extend(bodies.flat_map(|(body, id)| Arrival::in_message(body, Some(id))));
            }
            None => arrivals.extend(Arrival::with_payload(&payload)),
        }
    }
    assert!(!arrivals.is_empty(), "nothing arrived");
    let mut notices = Vec::new();
    for arrival in &arrivals {
        match wharf_events::tell(arrival, NOW) {
            Ok(Told::Notice(notice) | Told::IfOpen(notice)) => notices.push(*notice),
            Ok(Told::Nothing(why)) => assert!(!why.is_empty()),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    if !notices.is_empty() {
        told(&notices);
    }
}

fn told(notices: &[Notice]) {
    let all: Vec<&Notice> = notices.iter().collect();
    let series = Series { count: 3, since: NOW };
    for notice in notices {
        assert!([&notice.title, &notice.subject, &notice.key].iter().all(|text| !text.trim().is_empty()), "{notice:?}");
        fits(&Message::whole(notice, Some(series), Some("<!here>")));
        fits(&Message::short(notice, series));
        fits(&Message::whole(notice, None, None).without_blocks());
        mailed(&Letter::of(notice, "shop"));
    }
    let digest = Message::digest(&all, None);
    assert_eq!(digest.iter().map(|(_, count)| count).sum::<usize>(), notices.len(), "some are in no message");
    digest.iter().for_each(|(message, _)| fits(message));
    mailed(&Letter::digest(&all, "shop"));
}

/// Slack's limits. <https://docs.slack.dev/reference/block-kit/blocks/>
fn fits(message: &Message) {
    assert!(!message.text.trim().is_empty() && message.text.chars().count() <= 4_000, "{message:?}");
    assert!(message.blocks.len() <= 50, "{} blocks", message.blocks.len());
    for block in &message.blocks {
        let longest = if block["type"] == "header" { 150 } else { 3_000 };
        let fields = block["fields"].as_array().into_iter().flatten();
        for text in fields.chain([&block["text"]]).filter_map(|text| text["text"].as_str()) {
            assert!(!text.is_empty() && text.chars().count() <= longest, "{block}");
        }
        assert!(block["fields"].as_array().is_none_or(|fields| fields.len() <= 10), "{block}");
    }
}

/// SNS's. <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>
fn mailed(letter: &Letter) {
    let subject = &letter.subject;
    assert!(!subject.is_empty() && subject.len() < 100, "{subject:?}");
    assert!(subject.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{subject:?}");
    assert!(!letter.text.trim().is_empty() && letter.text.len() < 262_144);
}

/// Names that mean something in what comes in.
const NAMES: &str = "AlarmName|alarmData|Records|Sns|Message|detail|detail-type|source|Trigger|Metrics";

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 0, ..ProptestConfig::default() })]

    #[test]
    fn of_what_looks_like_a_payload(seed in any::<u64>()) {
        judge(&INPUTS.of(seed));
    }

    #[test]
    fn of_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        judge(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn of_any_json(value in any_json(NAMES)) {
        judge(&value.to_string());
    }
}
