//! The tour as one HTML file that needs nothing else.

use super::Tour;
use crate::report::value::duration;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;\
color:#1c2530;background:#fff}pre{background:#f4f6f8;padding:1rem;overflow-x:auto;font-size:14px;border-radius:6px}\
small{color:#56606b}@media(prefers-color-scheme:dark){body{color:#e4e8ec;background:#14181d}pre{background:#1e242b}\
small{color:#9aa5b1}}";

/// The report.
pub(crate) fn html(tour: &Tour<'_>) -> String {
    let title = escape(&format!("Stack {} in the sandbox", tour.config.stack.name));
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width,initial-scale=1\"><title>{title}</title><style>{STYLE}</style></head><body>\n\
         <h1>{title}</h1>\n<p>From {}. Times are a model of AWS's.</p>\n",
        escape(&tour.file)
    );
    for (number, act) in (1..).zip(&tour.acts) {
        page.push_str(&format!(
            "<section><h2>{number}. {}</h2>\n<pre>{}</pre>\n<p><small>{} of simulated time, {} calls, {} of \
             yours</small></p></section>\n",
            escape(&act.title),
            escape(&act.text),
            duration(act.simulated),
            act.calls,
            duration(act.real)
        ));
    }
    page.push_str("</body></html>\n");
    page
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_the_account_cannot_become_markup() {
        assert_eq!(escape("<b a=\"1\">&"), "&lt;b a=&quot;1&quot;&gt;&amp;");
    }
}
