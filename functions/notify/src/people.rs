//! A notice as a letter: what the topic's subscribers get by e-mail.

use wharf_events::{Notice, State};
use wharf_shell::chain;

use crate::text::{cut, one_line};

/// A subject has fewer than 100 characters, of ASCII, without line breaks.
/// <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>
const SUBJECT: usize = 99;
/// A message has 262,144 bytes at most. Nobody reads as much.
const TEXT: usize = 60_000;

/// The topic that people listen to.
#[derive(Clone, Debug)]
pub(crate) struct People {
    sns: aws_sdk_sns::Client,
    topic: String,
    stack: String,
}

/// A letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// One line of ASCII.
    pub subject: String,
    /// The letter itself.
    pub text: String,
}

impl People {
    pub(crate) fn new(sns: aws_sdk_sns::Client, topic: &str, stack: &str) -> Self {
        Self { sns, topic: topic.to_owned(), stack: stack.to_owned() }
    }

    pub(crate) fn stack(&self) -> &str {
        &self.stack
    }

    pub(crate) async fn send(&self, letter: &Letter) -> Result<(), String> {
        let publish = self.sns.publish().topic_arn(&self.topic).subject(&letter.subject).message(&letter.text);
        publish.send().await.map(|_| ()).map_err(|error| format!("cannot publish on {}: {}", self.topic, chain(&error)))
    }
}

impl Letter {
    /// A letter of one notice.
    #[must_use]
    pub fn of(notice: &Notice, stack: &str) -> Self {
        let mut text = one_line(&notice.title);
        text.push('\n');
        if !notice.text.trim().is_empty() {
            text.push_str(&format!("\n{}\n", notice.text.trim()));
        }
        let width = notice.facts.iter().map(|fact| fact.name.chars().count()).max().unwrap_or(0).min(24);
        let facts = notice.facts.iter().filter(|fact| !fact.value.trim().is_empty());
        let facts: Vec<String> = facts.map(|fact| row(&fact.name, fact.value.trim(), width)).collect();
        if !facts.is_empty() {
            text.push_str(&format!("\n{}\n", facts.join("\n")));
        }
        let links: Vec<String> = notice.links.iter().map(|link| format!("{}: {}", link.title, link.url)).collect();
        if !links.is_empty() {
            text.push_str(&format!("\n{}\n", links.join("\n")));
        }
        text.push_str(&format!("\n{}, {}, stack {stack}\n", notice.at, notice.source));
        Self { subject: subject(&format!("[{stack}] {}", notice.title)), text: cut(&text, TEXT) }
    }

    /// A letter of many notices.
    #[must_use]
    pub fn digest(notices: &[&Notice], stack: &str) -> Self {
        let open = notices.iter().filter(|notice| notice.state != State::Closed).count();
        let title = format!("[{stack}] {} notices at once, {open} of them not over", notices.len());
        let rows = notices.iter().map(|notice| format!("{}  {}", notice.at, one_line(&notice.title)));
        let rows: Vec<String> = rows.collect();
        Self { subject: subject(&title), text: cut(&format!("{title}\n\n{}\n", rows.join("\n")), TEXT) }
    }
}

fn row(name: &str, value: &str, width: usize) -> String {
    let lines = value.lines().collect::<Vec<_>>().join(&format!("\n{:width$}  ", ""));
    format!("{name:width$}  {lines}")
}

/// A line of ASCII: what is not is shown as `?`, and accents fall off nobody's name in the text itself.
fn subject(text: &str) -> String {
    let plain = |c: char| match c {
        ' '..='~' => c,
        '–' | '—' => '-',
        '“' | '”' | '„' => '"',
        '‘' | '’' => '\'',
        _ => '?',
    };
    let line: String = one_line(text).chars().map(plain).collect();
    if line.len() <= SUBJECT {
        return line;
    }
    format!("{}...", line.get(..SUBJECT - 3).unwrap_or_default().trim_end())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::notice;

    #[test]
    fn a_letter_reads_well() {
        let notice = notice("ALARM: shop-latency", "Look for a slow statement.")
            .fact("value", "3.2 (> 1.5)")
            .fact("set off by", "a\nb");
        let letter = Letter::of(&notice, "shop");
        assert_eq!(letter.subject, "[shop] ALARM: shop-latency");
        insta::assert_snapshot!(letter.text, @r"
        ALARM: shop-latency

        Look for a slow statement.

        value       3.2 (> 1.5)
        set off by  a
                    b

        2026-01-05T09:00:00Z, cloudwatch, stack shop
        ");
    }

    proptest! {
        #[test]
        fn any_title_makes_a_subject_that_sns_takes(title in "\\PC{0,200}|[é\n\r\t ]{0,120}") {
            let subject = Letter::of(&notice(&title, ""), "shop").subject;
            prop_assert!(!subject.is_empty() && subject.len() < 100);
            prop_assert!(subject.bytes().all(|b| (b' '..=b'~').contains(&b)), "{subject:?}");
        }
    }
}
