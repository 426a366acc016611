//! Rows in columns, without lines around them: to be read, cut and pasted.

use anstream::adapter::strip_str;

/// Columns as wide as their widest text; the last one is not filled up.
pub fn table(head: &[&str], rows: Vec<Vec<String>>) -> String {
    let head: Vec<String> = head.iter().map(|text| super::Tone::Quiet.paint(text)).collect();
    let rows: Vec<&Vec<String>> = std::iter::once(&head).chain(&rows).collect();
    let columns = rows.iter().map(|row| row.len()).max().unwrap_or(0);
    let width = |text: &str| strip_str(text).to_string().chars().count();
    let widths: Vec<usize> =
        (0..columns).map(|column| rows.iter().filter_map(|row| row.get(column)).map(|t| width(t)).max().unwrap_or(0)).collect();
    let lines: Vec<String> = rows
        .iter()
        .map(|row| {
            let mut line = String::new();
            for (place, (text, full)) in row.iter().zip(&widths).enumerate() {
                line.push_str(text);
                if place + 1 < row.len() {
                    line.push_str(&" ".repeat(full - width(text) + 2));
                }
            }
            line
        })
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_one_another() {
        let rows = vec![
            vec!["a".to_owned(), super::super::Tone::Good.paint("long text"), "x".to_owned()],
            vec!["bcd".to_owned(), "é".to_owned(), "y".to_owned()],
        ];
        let text = strip_str(&table(&["1", "2", "3"], rows)).to_string();
        assert_eq!(text, "1    2          3\na    long text  x\nbcd  é          y");
    }
}
