//! Small words for people: sizes, spans, texts cut to a line. Pure.

/// How much of a text fits into a line beside everything else.
const MAX_TEXT: usize = 80;
/// How much of the beginning and of the end of a reason does: what a worker said last is at its end.
const REASON: (usize, usize) = (60, 100);
/// How much of an address does.
const MAX_URL: usize = 160;

/// A size in bytes: `120 B`, `4.1 kB`.
#[must_use]
pub fn size(bytes: usize) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1_000 {
        return format!("{bytes} B");
    }
    let mut size = bytes as f64 / 1_000.0;
    let mut units = UNITS.iter();
    let mut unit = units.next();
    // What would be written as `1000.0` belongs to the next unit.
    while size >= 999.95
        && let Some(larger) = units.next()
    {
        size /= 1_000.0;
        unit = Some(larger);
    }
    format!("{size:.1} {}", unit.unwrap_or(&"B"))
}

/// So many of something: `1 part`, `3 parts`.
pub(super) fn count(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    }
}

/// The beginning of a text, as one line.
pub(super) fn line(text: &str) -> String {
    cut(text, MAX_TEXT)
}

/// A reason as one line; if it is long, its beginning and its end.
#[must_use]
pub fn reason(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    let (head, tail) = REASON;
    if line.len() <= head + tail {
        return line;
    }
    let (head, tail) = (
        line.floor_char_boundary(head),
        line.ceil_char_boundary(line.len() - tail),
    );
    let parts = (line.get(..head), line.get(tail..));
    let (head, tail) = (parts.0.unwrap_or_default(), parts.1.unwrap_or_default());
    format!("{} ... {}", head.trim_end(), tail.trim_start())
}

/// An address without what may hold secrets: user, password, query.
pub(super) fn address(url: &str) -> String {
    let (head, tail) = match url.find(['?', '#']) {
        Some(end) => (url.get(..end).unwrap_or_default(), "?..."),
        None => (url, ""),
    };
    let (scheme, rest) = head.split_once("://").unwrap_or(("", head));
    let end = rest.find('/').unwrap_or(rest.len());
    let (host, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let scheme = match scheme {
        "" => String::new(),
        scheme => format!("{scheme}://"),
    };
    cut(&format!("{scheme}{host}{path}{tail}"), MAX_URL)
}

fn cut(text: &str, most: usize) -> String {
    let mut words = text.split_whitespace();
    let mut line = words.next().unwrap_or_default().to_owned();
    for word in words {
        if line.len() > most {
            break;
        }
        line.push(' ');
        line.push_str(word);
    }
    if line.len() > most {
        line.truncate(line.floor_char_boundary(most));
        line.push_str("...");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_the_largest_fitting_unit() {
        for (bytes, words) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (1_250, "1.2 kB"),
            (999_949, "999.9 kB"),
            (999_950, "1.0 MB"),
            (16 << 20, "16.8 MB"),
        ] {
            assert_eq!(size(bytes), words);
        }
    }

    #[test]
    fn texts_become_one_short_line() {
        assert_eq!(line(" a\n\tb  c "), "a b c");
        assert_eq!(line(""), "");
        let long = line(&"ä".repeat(100));
        assert_eq!(long, format!("{}...", "ä".repeat(40)));
    }

    #[test]
    fn long_reasons_keep_their_end() {
        assert_eq!(reason("it\nbroke"), "it broke");
        let long = reason(&format!(
            "it broke{}; step 3 is broken",
            " and so on".repeat(50)
        ));
        assert!(long.starts_with("it broke and so on") && long.contains(" ... "));
        assert!(
            long.ends_with("; step 3 is broken") && long.len() <= 165,
            "{long}"
        );
    }

    #[test]
    fn addresses_lose_what_may_be_secret() {
        for (url, shown) in [
            ("https://a.example/v1/chat", "https://a.example/v1/chat"),
            (
                "https://a.example/v1?key=s3cret",
                "https://a.example/v1?...",
            ),
            (
                "https://me:s3cret@a.example:8443/x",
                "https://a.example:8443/x",
            ),
            ("https://me:s3cret@a.example", "https://a.example"),
            ("https://a.example#s3cret", "https://a.example?..."),
            ("a.example/@home", "a.example/@home"),
        ] {
            assert_eq!(address(url), shown);
        }
    }
}
