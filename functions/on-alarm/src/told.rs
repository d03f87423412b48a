//! What became of a message, out of what became of all that arrived in it.

use wharf_notify::Verdict;
use wharf_shell::batch::Outcome;

/// One thing that arrived in a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// It is the news at this place.
    News(usize),
    /// It is nothing to tell, for this reason.
    Ignored(String),
    /// It cannot be read.
    Failed(String),
}

/// A message failed if a part of it did, was ignored if all of it was, and is done otherwise.
pub(crate) fn outcome(parts: Vec<Part>, verdicts: &[Verdict]) -> Outcome {
    let verdict = |part: Part| match part {
        Part::Ignored(why) => Verdict::Ignored(why),
        Part::Failed(why) => Verdict::Failed(why),
        Part::News(place) => {
            let untold = || Verdict::Failed("nothing became of it".to_owned());
            verdicts.get(place).cloned().unwrap_or_else(untold)
        }
    };
    let verdicts: Vec<Verdict> = parts.into_iter().map(verdict).collect();
    if verdicts.is_empty() {
        return Outcome::Failed("a message without a body".to_owned());
    }
    let (mut failed, mut ignored) = (Vec::new(), Vec::new());
    for verdict in &verdicts {
        match verdict {
            Verdict::Failed(why) => failed.push(why.as_str()),
            Verdict::Ignored(why) => ignored.push(why.as_str()),
            Verdict::Told => {}
        }
    }
    if !failed.is_empty() {
        return Outcome::Failed(failed.join("; "));
    }
    if ignored.len() == verdicts.len() { Outcome::Ignored(ignored.join("; ")) } else { Outcome::Done }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_part_decides() {
        let verdicts = [Verdict::Told, Verdict::Ignored("copy".to_owned()), Verdict::Failed("down".to_owned())];
        let of = |places: &[usize]| outcome(places.iter().map(|place| Part::News(*place)).collect(), &verdicts);
        assert_eq!(of(&[0, 1]), Outcome::Done);
        assert_eq!(of(&[1, 1]), Outcome::Ignored("copy; copy".to_owned()));
        assert_eq!(of(&[0, 1, 2]), Outcome::Failed("down".to_owned()));
        assert!(matches!(of(&[]), Outcome::Failed(_)));
        assert!(matches!(of(&[9]), Outcome::Failed(_)));
    }
}
