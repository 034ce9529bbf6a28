//! Currencies by their signs, abbreviations and ISO 4217 codes.

use iso_currency::Currency;

/// Signs and abbreviations that name one currency, in lower case and without dots; by convention
/// `$` is USD, `¥` is JPY and `Rs` is INR.
const SIGNS: &[(&str, &str)] = &[
    ("$", "USD"),
    ("us$", "USD"),
    ("$us", "USD"),
    ("dollar", "USD"),
    ("dollars", "USD"),
    ("€", "EUR"),
    ("euro", "EUR"),
    ("euros", "EUR"),
    ("£", "GBP"),
    ("₤", "GBP"),
    ("¥", "JPY"),
    ("円", "JPY"),
    ("jp¥", "JPY"),
    ("元", "CNY"),
    ("rmb", "CNY"),
    ("cn¥", "CNY"),
    ("人民币", "CNY"),
    ("₹", "INR"),
    ("rs", "INR"),
    ("₩", "KRW"),
    ("원", "KRW"),
    ("₽", "RUB"),
    ("руб", "RUB"),
    ("р", "RUB"),
    ("₴", "UAH"),
    ("грн", "UAH"),
    ("₺", "TRY"),
    ("tl", "TRY"),
    ("₫", "VND"),
    ("đ", "VND"),
    ("฿", "THB"),
    ("₪", "ILS"),
    ("₱", "PHP"),
    ("₦", "NGN"),
    ("₵", "GHS"),
    ("₸", "KZT"),
    ("₡", "CRC"),
    ("₲", "PYG"),
    ("zł", "PLN"),
    ("zl", "PLN"),
    ("kč", "CZK"),
    ("kc", "CZK"),
    ("ft", "HUF"),
    ("лв", "BGN"),
    ("lei", "RON"),
    ("fr", "CHF"),
    ("sfr", "CHF"),
    ("r$", "BRL"),
    ("rp", "IDR"),
    ("rm", "MYR"),
    ("s/", "PEN"),
    ("a$", "AUD"),
    ("au$", "AUD"),
    ("c$", "CAD"),
    ("ca$", "CAD"),
    ("nz$", "NZD"),
    ("hk$", "HKD"),
    ("s$", "SGD"),
    ("sg$", "SGD"),
    ("nt$", "TWD"),
    ("mx$", "MXN"),
    ("ar$", "ARS"),
    ("cl$", "CLP"),
    ("cop$", "COP"),
    ("r", "ZAR"),
    ("din", "RSD"),
];

/// Signs of several currencies: the amount counts, the currency stays open.
const OPEN: &[&str] = &["kr"];

/// Returns the ISO 4217 code of a sign, abbreviation or code; `None` for a sign of several
/// currencies (`kr`).
///
/// # Errors
/// The text is not a currency.
pub fn currency(text: &str) -> Result<Option<String>, String> {
    let plain = text.trim().to_lowercase();
    let plain = plain.trim_matches('.');
    if OPEN.contains(&plain) {
        return Ok(None);
    }
    if let Some((_, code)) = SIGNS.iter().find(|(sign, _)| *sign == plain) {
        return Ok(Some((*code).to_owned()));
    }
    if let Some(code) = Currency::from_code(&plain.to_ascii_uppercase()) {
        return Ok(Some(code.code().to_owned()));
    }
    Err(format!(
        "expected an ISO 4217 currency code like `EUR` or a sign like `€`, got `{}`",
        text.trim()
    ))
}

/// Returns true if amounts of the currency have no decimals.
pub(super) fn has_no_decimals(code: &str) -> bool {
    let codes = [
        "CLP", "COP", "IDR", "ISK", "JPY", "KRW", "PYG", "UGX", "VND", "XAF", "XOF", "XPF",
    ];
    codes.contains(&code)
}

/// Returns true if amounts of the currency have three decimals.
pub(super) fn has_three_decimals(code: &str) -> bool {
    ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"].contains(&code)
}
