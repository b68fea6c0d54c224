use super::*;
use std::cell::Cell;

fn credentials(password: &str, kinds: Kinds) -> Credentials {
    Credentials::new(password, [[1; 16], [2; 16]], kinds)
}

fn users(lines: &[(&str, &str, Kinds)]) -> Users {
    let text: String = lines
        .iter()
        .map(|(name, password, kinds)| format!("{name}: {}\n", credentials(password, *kinds)))
        .collect();
    let (users, faults) = Users::read(&text);
    assert_eq!(faults, []);
    users
}

#[test]
fn a_password_is_right_wrong_or_may_not_be_sent() {
    let users = users(&[
        ("anna", "one", Kinds::Both),
        ("bert", "two", Kinds::HashOnly),
        ("cora", "three", Kinds::ScramOnly),
    ]);
    for (name, password, expected) in [
        ("anna", "one", Checked::Right),
        ("bert", "two", Checked::Right),
        ("cora", "three", Checked::TooWeak),
        ("anna", "two", Checked::Wrong),
        ("cora", "one", Checked::Wrong),
        ("cora", "", Checked::Wrong),
        ("dora", "one", Checked::Wrong),
        ("dora", "", Checked::Wrong),
        ("", "", Checked::Wrong),
    ] {
        assert_eq!(users.check(name, password), expected, "{name} {password}");
    }
}

#[test]
fn what_other_tools_write_is_read() {
    // By the reference implementation: argon2 somesalt -id -t 2 -m 16 -p 1, with Dovecot's scheme before it.
    let line = "anna:{ARGON2ID}$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ\
                $CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
    let (users, faults) = Users::read(line);
    assert_eq!(faults, []);
    assert_eq!(users.check("anna", "password"), Checked::Right);
    assert_eq!(users.dearest.m_cost(), 65_536, "nobody's login costs less");
}

#[test]
fn each_line_that_is_wrong_is_told_and_the_others_hold() {
    let good = credentials("one", Kinds::Both);
    let hash = credentials("one", Kinds::HashOnly);
    let text = format!(
        "# passwords\n\nanna:{good}\nbert\n:{good}\ncora:\ndora:secret\nanna:{good}\nemil:{hash} {hash}\n\
         f g:{good}\nhans:$argon2id$v=19$m=19456,t=2,p=1$broken\nida:SCRAM-SHA-256$1\n\
         jan:$argon2id$v=19$m=4000000000,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc\n\
         k\u{7}:{good}\nlea:{good}\n"
    );
    let (users, faults) = Users::read(&text);
    let lines: Vec<usize> = faults.iter().map(|fault| fault.line).collect();
    assert_eq!(lines, [4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14], "{faults:?}");
    let names: Vec<&str> = users.names().map(|(name, _)| name).collect();
    assert_eq!(names, ["anna", "lea"]);
}

#[test]
fn nothing_of_a_password_is_shown_by_accident() {
    let users = users(&[("anna", "one", Kinds::Both)]);
    let shown = format!("{users:?}");
    assert!(!shown.contains('$'), "{shown}");
}

thread_local! {
    /// Memory times passes of argon2, and iterations of SCRAM, that this thread has done.
    static WORK: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

/// Notes work that was done.
pub(super) fn note(argon2: u64, scram: u64) {
    WORK.set((WORK.get().0 + argon2, WORK.get().1 + scram));
}

#[test]
fn nobody_costs_as_much_as_somebody() {
    let users = users(&[
        ("anna", "one", Kinds::Both),
        ("bert", "two", Kinds::HashOnly),
        ("cora", "three", Kinds::ScramOnly),
    ]);
    let work = |name: &str| {
        WORK.set((0, 0));
        assert_eq!(users.check(name, "wrong"), Checked::Wrong);
        WORK.get()
    };
    let anna = work("anna");
    assert_eq!(anna, (19_456 * 2, u64::from(ITERATIONS)));
    assert!(
        ["bert", "cora", "dora", ""]
            .iter()
            .all(|name| work(name) == anna)
    );
}
