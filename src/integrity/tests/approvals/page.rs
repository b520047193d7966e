// SPDX-License-Identifier: Apache-2.0
//! How a page and its first line tell what persons said.

use super::*;

#[test]
fn a_page_begins_with_who_asked_for_whom_who_allowed_it_and_what_came_of_it() {
    let line = |steps: &[Step]| evidence(steps).unwrap().summary();
    let begin = "payment.send: asked for by component 1 on behalf of \"maria\", through \
                 \"travel-agent\" of \"https://id.example\"; ";
    let both = "\"ann\" and \"ben\" of \"https://id.example\"";
    let ben = "\"ben\" of \"https://id.example\"";
    let all = [
        (paid(), format!("allowed by {both}; completed. 9 records")),
        (
            declined(),
            format!("refused by {ben}; denied; nothing was executed. 6 records"),
        ),
        (
            expired(),
            "not allowed in time, 1 of 2 approvals given; denied, because its time was over; nothing was executed. "
                .to_owned(),
        ),
        (
            waiting(),
            "not decided on, 0 of 2 approvals given; waited for persons when the checkpoint was signed. ".to_owned(),
        ),
        (
            approved(),
            format!("allowed by {both}; had not ended when the checkpoint was signed. "),
        ),
        (
            left(),
            format!("allowed by {both}; not started in time; nothing was executed. "),
        ),
        (
            cancelled(waiting()),
            "not decided on, 0 of 2 approvals given; cancelled before persons had decided; nothing was executed. "
                .to_owned(),
        ),
    ];
    for (steps, rest) in all {
        let (line, expected) = (line(&steps), format!("{begin}{rest}"));
        assert!(line.starts_with(&expected), "{line}");
    }
}

#[test]
fn a_page_tells_each_step_and_nothing_that_was_withheld() {
    let page = evidence(&paid()).unwrap().page();
    if let Some(file) = std::env::var_os("PAGE_SHOWN") {
        std::fs::write(file, &page).unwrap();
    }
    let subject = format!("<dt>about (pseudonym)</dt><dd>{}", "5b".repeat(16));
    let mut at = 0;
    for words in [
        "<p class=\"summary\">payment.send: asked for by component 1 on behalf of &quot;maria&quot;",
        "<dt>on behalf of</dt><dd>&quot;maria&quot;",
        &subject,
        "<dt>allowed by</dt><dd>&quot;ann&quot; and",
        "payments above 1,000 EUR",
        "That it was these persons rests on",
        "Persons asked to approve",
        "of &quot;https://id.example&quot;, or whoever has the role &quot;treasurer&quot;",
        "2026-01-01T01:00:00Z",
        "Pay 5,000 EUR to ACME",
        "Approved by a person",
        "passkey",
        "1 of 2",
        "2 of 2",
        "Authorization decided",
        "by version 1 of this execution",
    ] {
        let found = page[at..].find(words);
        at += found.unwrap_or_else(|| panic!("{words:?} is not on the page, or not in order"));
    }
    // The page has nothing that was withheld, and all that headers tell.
    let bare = evidence(&paid()).unwrap().withhold(|_| true);
    let (line, page) = (bare.summary(), bare.page());
    let told =
        "asked for by component 1; allowed by 2 persons whose names were withheld; completed. ";
    assert!(line.starts_with(told), "{line}");
    assert!(!page.contains("maria") && !page.contains("ann&quot;"));
}

/// No name is markup, hides anything or ends the words that it stands in.
#[test]
fn names_of_persons_stay_names() {
    let hostile = "ann\" of \"x\"; completed. <script>alert(1)</script>\u{202e}\0";
    let mut steps = said(waiting(), 0, |it: &mut Request| {
        it.on_behalf_of[0].id = hostile.into();
        it.asked.push(party(hostile));
        it.asked_roles.push(hostile.into());
        it.rule = hostile.into();
        it.reason = hostile.repeat(100);
        it.shown = hostile.repeat(2_000).into_bytes();
        it.shown_digest = digest(&it.shown);
    });
    let answer = |it: &mut Given| {
        it.approver = party(hostile);
        it.role = hostile.into();
        it.authenticated = hostile.into();
        it.reason = hostile.into();
        it.shown_digest = digest(hostile.repeat(2_000).as_bytes());
    };
    steps.push(step(2, Outcome::Success, given("ann", 1)));
    let bundle = evidence(&said(steps, 2, answer)).unwrap();
    let (line, page) = (bundle.summary(), bundle.page());
    assert!(
        line.contains("\"ann\\\" of \\\"x\\\"; completed."),
        "{line}"
    );
    assert!(!page.contains("<script") && page.contains("&lt;script&gt;"));
    assert!(!page.contains('\u{202e}') && !page.contains('\0'));
    assert!(page.len() < 200_000, "{}", page.len());
}
