//! Tests of the terms of texts.

use super::*;

fn terms(text: &str) -> Vec<String> {
    analyze(text).into_iter().map(|a| a.term).collect()
}

/// Asserts that each of the texts is found by each of the queries of one word.
fn each_finds_each(texts: &[&str], queries: &[&str]) {
    for text in texts {
        let indexed: Vec<String> = index_terms(text).into_iter().map(|a| a.term).collect();
        for query in queries {
            let words = analyze(query);
            let [word] = &words[..] else {
                panic!("{query} is {words:?}");
            };
            let mut spellings = word.variants.iter().chain([&word.term]);
            assert!(
                spellings.any(|s| indexed.contains(s)),
                "{query} is not in {text}: {indexed:?}"
            );
        }
    }
}

#[test]
fn english_is_stemmed_and_folded() {
    assert_eq!(
        terms("Running Shoes, Café women's"),
        ["run", "shoe", "cafe", "woman"]
    );
    assert_eq!(terms("ＡＢＣ"), ["abc"]);
    assert_eq!(terms(""), Vec::<String>::new());
    assert_eq!(analyze(&"x".repeat(1000))[0].term.len(), MAX_TERM_BYTES);
}

#[test]
fn words_of_one_stem_that_mean_something_else_are_kept_apart() {
    for (a, b) in [
        ("organic", "organ"),
        ("animal", "anime"),
        ("police", "policy"),
        ("business", "busy"),
        ("marinade", "marine"),
        ("universal", "university"),
    ] {
        assert_ne!(stem(a), stem(b), "{a}");
    }
    assert_eq!(stem("animals"), stem("animal"));
}

#[test]
fn scripts_without_spaces_are_found_by_parts_of_words() {
    for (text, word) in [
        ("เครื่องชงกาแฟ", "กาแฟ"),
        ("ผ้าห่มเด็ก", "เด็ก"),
        ("コーヒーメーカー 黒", "コーヒー"),
        ("ｺｰﾋｰ", "コーヒー"),
        ("おもちゃの車", "おもちゃ"),
        ("កាហ្វេទឹកកក", "កាហ្វេ"),
        ("ກາເຟ", "ກາ"),
        ("あ", "あ"),
    ] {
        let indexed: Vec<String> = index_terms(text).into_iter().map(|a| a.term).collect();
        let missing: Vec<_> = terms(word)
            .into_iter()
            .filter(|t| !indexed.contains(t))
            .collect();
        assert!(
            missing.is_empty() && !terms(word).is_empty(),
            "{text}: {missing:?}"
        );
    }
    assert_eq!(terms("กาแฟ 250 ฿").len(), 4, "three pairs and a number");
    assert_eq!(terms("車"), ["车"]);
}

#[test]
fn apostrophes_make_no_difference() {
    let forms = [
        "Levi’s", "levi's", "LEVI`S", "levi´s", "Levi‘s", "leviʼs", "levi＇s", "levis",
    ];
    each_finds_each(&forms, &forms);
    each_finds_each(&["L'Oréal", "L’Oréal"], &["loreal", "l'oreal", "oreal"]);
    each_finds_each(&["O'Reilly", "O’Reilly"], &["oreilly", "reilly"]);
    each_finds_each(
        &["Men's", "mens", "men"],
        &["men's", "mens", "man’s", "man"],
    );
    each_finds_each(&["Women's"], &["womens", "woman's", "women", "woman"]);
    each_finds_each(
        &["Rock 'n' Roll", "Rock'n'Roll"],
        &["rock'n'roll", "rocknroll"],
    );
    for owner in ["Wendy", "Reese", "Kellogg", "Sainsbury", "Lay", "Hershey"] {
        let (with, without) = (format!("{owner}'s"), format!("{owner}s"));
        each_finds_each(&[&with], &[&without]);
    }
}

#[test]
fn letters_are_found_by_plain_ones() {
    for (text, query) in [
        ("Straßenschuhe", "strassenschuhe"),
        ("Fußball", "FUSSBALL"),
        ("Größe", "grosse"),
        ("Größe", "groesse"),
        ("Führerscheinmappe", "fuehrerscheinmappe"),
        ("Müller", "mueller"),
        ("Mueller", "Müller"),
        ("Bu\u{308}cher", "bücher"),
        ("smørrebrød", "smorrebrod"),
        ("Đorđe", "dorde"),
        ("Łódka", "lodka"),
        ("İstanbul", "ISTANBUL"),
        ("ılık", "ilik"),
        ("Hleðslutæki", "hledslutaeki"),
        ("Þór", "thor"),
        ("cœur", "coeur"),
        ("jalapen\u{303}o", "jalapeno"),
        ("Bücher\u{ad}regal", "bucherregal"),
        ("ﬁlter", "filter"),
    ] {
        each_finds_each(&[text], &[query]);
    }
    assert_eq!(terms("blue shoe"), ["blue", "shoe"]);
    assert_eq!(index_terms("blue shoe").len(), 2);
}

#[test]
fn names_with_signs_are_terms() {
    each_finds_each(&["H&M", "H & M", "h and m", "Ｈ＆Ｍ"], &["hm"]);
    each_finds_each(&["AT&T"], &["att"]);
    each_finds_each(&["M&M's", "M&Ms"], &["mm"]);
    each_finds_each(&["Dolce&Gabbana"], &["dolcegabbana"]);
    each_finds_each(&["U.S.A."], &["usa"]);
    each_finds_each(&["e.l.f. cosmetics"], &["elf"]);
    assert_eq!(terms("C++ and C#"), ["c++", "and", "c#"]);
    assert_eq!(terms("Disney+ gift"), ["disney", "plus", "gift"]);
    assert_eq!(terms("Galaxy S22+"), ["galaxi", "s", "22", "plus"]);
    each_finds_each(&["Notepad++"], &["notepad", "notepad++"]);
    let ordinary = index_terms("Tables & Chairs");
    assert_eq!(ordinary.len(), 2, "{ordinary:?}");
}

#[test]
fn hyphens_join() {
    each_finds_each(&["Wi-Fi", "wi‑fi"], &["wifi"]);
    each_finds_each(&["T-shirts"], &["tshirt"]);
    each_finds_each(&["USB-C"], &["usbc"]);
    each_finds_each(&["e-reader"], &["ereader", "reader"]);
    assert_eq!(index_terms("SC-141").len(), 2);
}

#[test]
fn emoji_are_terms() {
    assert_eq!(terms("🎈🎈"), ["🎈", "🎈"]);
    assert_eq!(terms("🇩🇪🇫🇷"), ["🇩🇪", "🇫🇷"]);
    assert_eq!(terms("👍🏽"), terms("👍"));
    assert_eq!(terms("❤️"), terms("❤"));
    each_finds_each(&["👨‍👩‍👧"], &["👨‍👩‍👧", "👩"]);
    each_finds_each(&["I ❤️ NY"], &["love", "❤"]);
    let text = "a👨‍👩‍👧b";
    for word in index_terms(text) {
        assert!(text.get(word.span).is_some());
    }
}

#[test]
fn units_have_one_spelling_after_a_number() {
    for text in [
        "3/4 in. pipe",
        "3/4\" pipe",
        "3/4-inch pipe",
        "3/4 inches pipe",
        "¾ inch pipe",
    ] {
        assert_eq!(terms(text), ["3/4", "_in", "pipe"], "{text}");
    }
    assert_eq!(terms("8ft"), ["8", "_ft"]);
    assert_eq!(terms("lamp in the dark"), ["lamp", "in", "the", "dark"]);
    assert_eq!(terms("500毫升 水"), ["500", "_ml", "水"]);
    assert_eq!(terms("5 l"), terms("5 litres"));
    each_finds_each(&["20 m"], &["m"]);
}

#[test]
fn numbers_have_one_spelling() {
    for (text, number) in [
        ("1,200", "1200"),
        ("1,200.5", "1200.5"),
        ("1,234,567", "1234567"),
        ("0,5", "0.5"),
        ("0,125", "0.125"),
        ("12,99", "12.99"),
        ("1.200,50", "1200.50"),
        (".5", "0.5"),
        ("½", "1/2"),
        ("１２", "12"),
        ("٢٥٠", "250"),
        ("۲۵۰", "250"),
        ("१२", "12"),
        ("๕๐", "50"),
        ("١٬٢٠٠٫٥", "1200.5"),
    ] {
        assert_eq!(terms(text), [number], "{text}");
    }
    assert_eq!(terms("1,2,3"), ["1", "2", "3"]);
    for text in ["1½", "1 1/2", "1-1/2", "1 ½"] {
        assert_eq!(terms(text), ["1", "1/2"], "{text}");
        each_finds_each(&[text], &["1.5"]);
    }
    each_finds_each(&["1/2", "½", "0.5", "0,5"], &["1/2", "½"]);
    each_finds_each(&["2.50"], &["2.5"]);
    assert!(!index_terms("12/24").iter().any(|a| a.term == "0.5"));
}

#[test]
fn letters_that_writers_mix_are_one() {
    for (one, other) in [
        ("قهـــوة", "قهوة"),
        ("قهوه", "قهوة"),
        ("کفش", "كفش"),
        ("كرسى", "كرسي"),
        ("أحذية", "احذيه"),
        ("\u{958}लम", "कलम"),
    ] {
        assert_eq!(terms(one), terms(other), "{one}");
    }
    // Vowel signs of Indic scripts are letters.
    assert_ne!(terms("दाल"), terms("दिल"));
}

#[test]
fn forms_of_a_word_are_one() {
    for (many, one) in [
        ("knives", "knife"),
        ("mice", "mouse"),
        ("children's", "child"),
        ("feet", "foot"),
        ("shelves", "shelf"),
        ("scarves", "scarf"),
        ("lenses", "lens"),
        ("buses", "bus"),
        ("batteries", "battery"),
        ("dresses", "dress"),
        ("TVs", "tv"),
        ("CDs", "cd"),
        ("DVDs", "dvd"),
        ("PCs", "pc"),
        ("PJs", "pj"),
        ("BBQs", "bbq"),
        ("bras", "bra"),
        ("skis", "ski"),
        ("pros", "pro"),
    ] {
        assert_eq!(terms(many), terms(one));
    }
    for word in ["gas", "gps", "this", "plus", "glass"] {
        assert_eq!(terms(word), [word]);
    }
}

#[test]
fn codes_come_apart() {
    assert_eq!(terms("SC-141 1x6"), ["sc", "141", "1", "x", "6"]);
    assert_eq!(terms("WH-1000XM4"), terms("wh1000xm4"));
}

#[test]
fn chinese_is_found_by_words_pairs_and_characters() {
    let found = terms("红色跑鞋");
    for term in ["红色", "色跑", "跑鞋"] {
        assert!(found.contains(&term.to_owned()), "{term} in {found:?}");
    }
    let all = analyze("李宁跑鞋 red");
    assert!(
        all.iter().any(|a| a.term == "red" && a.position == 4),
        "{all:?}"
    );
    for a in index_terms("李宁跑鞋 red") {
        assert!("李宁跑鞋 red".get(a.span).is_some());
    }
    each_finds_each(&["红色跑鞋"], &["鞋", "红"]);
    assert_eq!(terms("運動鞋"), terms("运动鞋"));
    assert_eq!(terms("頭髮"), terms("头发"));
}
