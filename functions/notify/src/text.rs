//! Text for Slack: escaped, and cut where it is too long.
//! <https://docs.slack.dev/messaging/formatting-message-text/#escaping>

/// What stands for what was cut off.
const CUT: char = '…';

/// A text whose `&`, `<` and `>` mean themselves, of no more than so many characters as Slack counts them.
pub(crate) fn escaped(text: &str, most: usize) -> String {
    fit(text, most, |c| match c {
        '&' => Piece::Word("&amp;"),
        '<' => Piece::Word("&lt;"),
        '>' => Piece::Word("&gt;"),
        c => Piece::Char(c),
    })
}

/// A text of no more than so many characters.
pub(crate) fn cut(text: &str, most: usize) -> String {
    fit(text, most, Piece::Char)
}

/// A text in one line.
pub(crate) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A link: its title escaped, its address without what would end it. A title alone where the address is none.
pub(crate) fn link(title: &str, url: &str) -> String {
    const LONGEST_URL: usize = 600;
    let title = escaped(&one_line(title), 150);
    let web = url.starts_with("https://") || url.starts_with("http://");
    let url = url.replace('&', "&amp;").replace('<', "%3C").replace('>', "%3E").replace('|', "%7C");
    if !web || url.len() > LONGEST_URL || url.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return title;
    }
    format!("<{url}|{}>", title.replace('|', "¦"))
}

enum Piece {
    Word(&'static str),
    Char(char),
}

/// Characters count as UTF-16 has them: no reader counts more.
fn fit(text: &str, most: usize, piece: impl Fn(char) -> Piece) -> String {
    let mut out = String::with_capacity(text.len().min(4 * most));
    let (mut units, mut fits) = (0, 0);
    // A carriage return ends a line twice; other control characters say nothing.
    for c in text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')) {
        units += match piece(c) {
            Piece::Word(word) => {
                out.push_str(word);
                word.len()
            }
            Piece::Char(c) => {
                out.push(c);
                c.len_utf16()
            }
        };
        if units < most {
            fits = out.len();
        }
        if units > most {
            out.truncate(fits);
            out.push(CUT);
            return out;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_would_mean_something_to_slack_means_itself() {
        assert_eq!(escaped("<!channel> a & b", 100), "&lt;!channel&gt; a &amp; b");
        assert_eq!(link("a|b <x>", "https://e.com/?a=1&b=<|>"), "<https://e.com/?a=1&amp;b=%3C%7C%3E|a¦b &lt;x&gt;>");
        for url in ["javascript:alert(1)", "", "https://a b", "!channel"] {
            assert_eq!(link("t", url), "t");
        }
    }

    #[test]
    fn a_cut_falls_between_characters_and_never_into_an_escape() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
        assert_eq!(escaped("a&b", 7), "a&amp;b");
        assert_eq!(escaped("a&bc", 7), "a&amp;…");
        assert_eq!(escaped("a&bc", 6), "a…");
        assert_eq!(cut("😀😀", 4), "😀😀");
        assert_eq!(cut("😀😀😀", 4), "😀…");
        assert_eq!(cut("a\u{0}b\r\nc", 9), "ab\nc");
    }

    proptest! {
        #[test]
        fn any_text_fits_and_keeps_its_beginning(text in "\\PC{0,60}|[<>&😀é]{0,60}", most in 1_usize..50) {
            let out = escaped(&text, most);
            prop_assert!(out.encode_utf16().count() <= most);
            prop_assert!(!out.contains('<') && !out.contains('>'));
            let back = out.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
            let kept = back.strip_suffix(CUT).unwrap_or(&back);
            prop_assert!(text.starts_with(kept), "{out:?} of {text:?}");
        }
    }
}
