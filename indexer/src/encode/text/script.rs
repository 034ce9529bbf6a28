//! The script of a text: models of English know only the Latin one.

/// Latin letters that weigh as much as one letter of another script: a Chinese word has about two
/// characters, an English one about five.
const LETTERS: usize = 2;

/// Returns true if a text is in the Latin script, or has no letters.
pub fn is_latin(text: &str) -> bool {
    let (mut latin, mut other) = (0, 0);
    for letter in text.chars().filter(|c| c.is_alphabetic()) {
        match letter {
            '\0'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' | '\u{ff21}'..='\u{ff5a}' => latin += 1,
            _ => other += 1,
        }
    }
    other == 0 || LETTERS * other < latin
}

#[cfg(test)]
mod tests {
    use super::is_latin;

    #[test]
    fn most_letters_decide() {
        for text in [
            "",
            "42 x 10",
            "Café façade",
            "Đèn bàn",
            "Sony WH-1000XM4 耳机",
        ] {
            assert!(is_latin(text), "{text}");
        }
        for text in [
            "冬季羽绒服",
            "Nike 跑步鞋",
            "красные кроссовки",
            "قميص",
            "ワンピース L",
        ] {
            assert!(!is_latin(text), "{text}");
        }
    }
}
