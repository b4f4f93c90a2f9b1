# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_sfvault_global_optspecs
    string join \n json no-autostart no-color h/help V/version
end

function __fish_sfvault_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_sfvault_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_sfvault_using_subcommand
    set -l cmd (__fish_sfvault_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c sfvault -n "__fish_sfvault_needs_command" -l json -d 'Write data as JSON to stdout, and errors as JSON to stderr, one object a line'
complete -c sfvault -n "__fish_sfvault_needs_command" -l no-autostart -d 'Start no daemon if none answers'
complete -c sfvault -n "__fish_sfvault_needs_command" -l no-color -d 'Write without colours'
complete -c sfvault -n "__fish_sfvault_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sfvault -n "__fish_sfvault_needs_command" -s V -l version -d 'Print version'
complete -c sfvault -n "__fish_sfvault_needs_command" -f -a "init" -d 'Make the vault, and leave it unlocked'
complete -c sfvault -n "__fish_sfvault_needs_command" -f -a "unlock" -d 'Unlock the vault'
complete -c sfvault -n "__fish_sfvault_needs_command" -f -a "lock" -d 'Lock the vault: keys and sessions leave the daemon\'s memory'
complete -c sfvault -n "__fish_sfvault_needs_command" -f -a "status" -d 'Tell how the daemon, the vault and the records are'
complete -c sfvault -n "__fish_sfvault_needs_command" -f -a "add" -d 'Add a record: a named Salesforce login'
complete -c sfvault -n "__fish_sfvault_needs_command" -f -a "list" -d 'List the records that this user may use'
complete -c sfvault -n "__fish_sfvault_needs_command" -f -a "show" -d 'Show a record without its secrets'
complete -c sfvault -n "__fish_sfvault_needs_command" -f -a "set" -d 'Change secrets of a record'
complete -c sfvault -n "__fish_sfvault_needs_command" -f -a "login" -d 'Get a refresh token by a login in a browser'
complete -c sfvault -n "__fish_sfvault_needs_command" -f -a "rotate" -d 'Change secrets of a record after one login has proved the new ones'
complete -c sfvault -n "__fish_sfvault_needs_command" -f -a "migrate" -d 'Change how a record logs in, after a rehearsal'
complete -c sfvault -n "__fish_sfvault_needs_command" -f -a "remove" -d 'Remove a record'
complete -c sfvault -n "__fish_sfvault_needs_command" -f -a "logout" -d 'End the session of a record at Salesforce, for all who share it'
complete -c sfvault -n "__fish_sfvault_needs_command" -f -a "check" -d 'Prove that a record works'
complete -c sfvault -n "__fish_sfvault_needs_command" -f -a "allow" -d 'Let somebody use a record'
complete -c sfvault -n "__fish_sfvault_needs_command" -f -a "deny" -d 'Take a rule of `allow` back'
complete -c sfvault -n "__fish_sfvault_needs_command" -f -a "access" -d 'Show who may use a record'
complete -c sfvault -n "__fish_sfvault_needs_command" -f -a "explain" -d 'Tell whether a process could use a record, and what it lacks'
complete -c sfvault -n "__fish_sfvault_needs_command" -f -a "get" -d 'Write a session to stdout'
complete -c sfvault -n "__fish_sfvault_needs_command" -f -a "exec" -d 'Run a command with a session in its environment'
complete -c sfvault -n "__fish_sfvault_needs_command" -f -a "log" -d 'Tell who asked for what, and what came of it'
complete -c sfvault -n "__fish_sfvault_needs_command" -f -a "usage" -d 'Tell who used a record, how often and when last'
complete -c sfvault -n "__fish_sfvault_needs_command" -f -a "doctor" -d 'Find what is wrong, and what will stop working and when'
complete -c sfvault -n "__fish_sfvault_needs_command" -f -a "completions" -d 'Write a completion script for a shell'
complete -c sfvault -n "__fish_sfvault_needs_command" -f -a "man" -d 'Write the manual pages'
complete -c sfvault -n "__fish_sfvault_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c sfvault -n "__fish_sfvault_using_subcommand init" -l passphrase-file -d 'Read the passphrase from this file or pipe; one line end is taken off' -r -F
complete -c sfvault -n "__fish_sfvault_using_subcommand init" -l passphrase-fd -d 'Read the passphrase from this inherited descriptor; one line end is taken off' -r
complete -c sfvault -n "__fish_sfvault_using_subcommand init" -l json -d 'Write data as JSON to stdout, and errors as JSON to stderr, one object a line'
complete -c sfvault -n "__fish_sfvault_using_subcommand init" -l no-autostart -d 'Start no daemon if none answers'
complete -c sfvault -n "__fish_sfvault_using_subcommand init" -l no-color -d 'Write without colours'
complete -c sfvault -n "__fish_sfvault_using_subcommand init" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sfvault -n "__fish_sfvault_using_subcommand unlock" -l passphrase-file -d 'Read the passphrase from this file or pipe; one line end is taken off' -r -F
complete -c sfvault -n "__fish_sfvault_using_subcommand unlock" -l passphrase-fd -d 'Read the passphrase from this inherited descriptor; one line end is taken off' -r
complete -c sfvault -n "__fish_sfvault_using_subcommand unlock" -l json -d 'Write data as JSON to stdout, and errors as JSON to stderr, one object a line'
complete -c sfvault -n "__fish_sfvault_using_subcommand unlock" -l no-autostart -d 'Start no daemon if none answers'
complete -c sfvault -n "__fish_sfvault_using_subcommand unlock" -l no-color -d 'Write without colours'
complete -c sfvault -n "__fish_sfvault_using_subcommand unlock" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sfvault -n "__fish_sfvault_using_subcommand lock" -l json -d 'Write data as JSON to stdout, and errors as JSON to stderr, one object a line'
complete -c sfvault -n "__fish_sfvault_using_subcommand lock" -l no-autostart -d 'Start no daemon if none answers'
complete -c sfvault -n "__fish_sfvault_using_subcommand lock" -l no-color -d 'Write without colours'
complete -c sfvault -n "__fish_sfvault_using_subcommand lock" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sfvault -n "__fish_sfvault_using_subcommand status" -l peers -d 'Tell who is connected, and who is held back'
complete -c sfvault -n "__fish_sfvault_using_subcommand status" -l security -d 'Tell what keeps others from the daemon\'s process, and it from the system'
complete -c sfvault -n "__fish_sfvault_using_subcommand status" -l json -d 'Write data as JSON to stdout, and errors as JSON to stderr, one object a line'
complete -c sfvault -n "__fish_sfvault_using_subcommand status" -l no-autostart -d 'Start no daemon if none answers'
complete -c sfvault -n "__fish_sfvault_using_subcommand status" -l no-color -d 'Write without colours'
complete -c sfvault -n "__fish_sfvault_using_subcommand status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sfvault -n "__fish_sfvault_using_subcommand add" -l login-url -d 'Log in at this URL, best the org\'s My Domain: https://MYDOMAIN.my.salesforce.com' -r
complete -c sfvault -n "__fish_sfvault_using_subcommand add" -l flow -d 'How to log in' -r -f -a "soap-login\t'SOAP login() with password and security token'
username-password\t'OAuth with password and security token'
client-credentials\t'OAuth as the app\'s run-as user, at the org\'s My Domain'
jwt-bearer\t'OAuth with an assertion that a private key signs'
refresh-token\t'OAuth with the refresh token of a user who approved the app'"
complete -c sfvault -n "__fish_sfvault_using_subcommand add" -l username -d 'The Salesforce user name; for the flows that send one' -r
complete -c sfvault -n "__fish_sfvault_using_subcommand add" -l consumer-key -d 'The consumer key of the app that logs in; for the OAuth flows' -r
complete -c sfvault -n "__fish_sfvault_using_subcommand add" -l audience -d 'The `aud` of the assertion [default: the login host of the org\'s environment]; for `jwt-bearer`' -r
complete -c sfvault -n "__fish_sfvault_using_subcommand add" -l remind -d 'Remind people to change the credential this long after it was changed, such as `90d`' -r
complete -c sfvault -n "__fish_sfvault_using_subcommand add" -l password-file -d 'Read the password from this file or pipe; one line end is taken off' -r -F
complete -c sfvault -n "__fish_sfvault_using_subcommand add" -l token-file -d 'Read the security token from this file or pipe; one line end is taken off' -r -F
complete -c sfvault -n "__fish_sfvault_using_subcommand add" -l consumer-secret-file -d 'Read the app\'s consumer secret from this file or pipe; one line end is taken off' -r -F
complete -c sfvault -n "__fish_sfvault_using_subcommand add" -l private-key-file -d 'Read the private key from this file or pipe: PEM (PKCS#8 or PKCS#1), RSA, not encrypted' -r -F
complete -c sfvault -n "__fish_sfvault_using_subcommand add" -l refresh-token-file -d 'Read the refresh token from this file or pipe; one line end is taken off' -r -F
complete -c sfvault -n "__fish_sfvault_using_subcommand add" -l production -d 'Log in at https://login.salesforce.com'
complete -c sfvault -n "__fish_sfvault_using_subcommand add" -l sandbox -d 'Log in at https://test.salesforce.com'
complete -c sfvault -n "__fish_sfvault_using_subcommand add" -l no-token -d 'The user needs no security token here: the org trusts this host\'s IP address'
complete -c sfvault -n "__fish_sfvault_using_subcommand add" -l no-consumer-secret -d 'The app needs no consumer secret for this flow'
complete -c sfvault -n "__fish_sfvault_using_subcommand add" -l stdin -d 'Read one JSON object from stdin, whose keys are the flow\'s secrets, such as `password`'
complete -c sfvault -n "__fish_sfvault_using_subcommand add" -l json -d 'Write data as JSON to stdout, and errors as JSON to stderr, one object a line'
complete -c sfvault -n "__fish_sfvault_using_subcommand add" -l no-autostart -d 'Start no daemon if none answers'
complete -c sfvault -n "__fish_sfvault_using_subcommand add" -l no-color -d 'Write without colours'
complete -c sfvault -n "__fish_sfvault_using_subcommand add" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sfvault -n "__fish_sfvault_using_subcommand list" -l json -d 'Write data as JSON to stdout, and errors as JSON to stderr, one object a line'
complete -c sfvault -n "__fish_sfvault_using_subcommand list" -l no-autostart -d 'Start no daemon if none answers'
complete -c sfvault -n "__fish_sfvault_using_subcommand list" -l no-color -d 'Write without colours'
complete -c sfvault -n "__fish_sfvault_using_subcommand list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sfvault -n "__fish_sfvault_using_subcommand show" -l json -d 'Write data as JSON to stdout, and errors as JSON to stderr, one object a line'
complete -c sfvault -n "__fish_sfvault_using_subcommand show" -l no-autostart -d 'Start no daemon if none answers'
complete -c sfvault -n "__fish_sfvault_using_subcommand show" -l no-color -d 'Write without colours'
complete -c sfvault -n "__fish_sfvault_using_subcommand show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sfvault -n "__fish_sfvault_using_subcommand set" -l remind -d 'Remind people to change the credential this long after it was changed, such as `90d`, or `never`; alone it changes no secret' -r
complete -c sfvault -n "__fish_sfvault_using_subcommand set" -l password-file -d 'Read the password from this file or pipe; one line end is taken off' -r -F
complete -c sfvault -n "__fish_sfvault_using_subcommand set" -l token-file -d 'Read the security token from this file or pipe; one line end is taken off' -r -F
complete -c sfvault -n "__fish_sfvault_using_subcommand set" -l consumer-secret-file -d 'Read the app\'s consumer secret from this file or pipe; one line end is taken off' -r -F
complete -c sfvault -n "__fish_sfvault_using_subcommand set" -l private-key-file -d 'Read the private key from this file or pipe: PEM (PKCS#8 or PKCS#1), RSA, not encrypted' -r -F
complete -c sfvault -n "__fish_sfvault_using_subcommand set" -l refresh-token-file -d 'Read the refresh token from this file or pipe; one line end is taken off' -r -F
complete -c sfvault -n "__fish_sfvault_using_subcommand set" -l open -d 'Open the page where the record\'s user resets the security token, and say what to know of it'
complete -c sfvault -n "__fish_sfvault_using_subcommand set" -l no-token -d 'The user needs no security token here: the org trusts this host\'s IP address'
complete -c sfvault -n "__fish_sfvault_using_subcommand set" -l no-consumer-secret -d 'The app needs no consumer secret for this flow'
complete -c sfvault -n "__fish_sfvault_using_subcommand set" -l stdin -d 'Read one JSON object from stdin, whose keys are the flow\'s secrets, such as `password`'
complete -c sfvault -n "__fish_sfvault_using_subcommand set" -l json -d 'Write data as JSON to stdout, and errors as JSON to stderr, one object a line'
complete -c sfvault -n "__fish_sfvault_using_subcommand set" -l no-autostart -d 'Start no daemon if none answers'
complete -c sfvault -n "__fish_sfvault_using_subcommand set" -l no-color -d 'Write without colours'
complete -c sfvault -n "__fish_sfvault_using_subcommand set" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sfvault -n "__fish_sfvault_using_subcommand login" -l login-url -d 'Log in at this URL, best the org\'s My Domain: https://MYDOMAIN.my.salesforce.com' -r
complete -c sfvault -n "__fish_sfvault_using_subcommand login" -l consumer-key -d 'The consumer key of the connected app or external client app' -r
complete -c sfvault -n "__fish_sfvault_using_subcommand login" -l consumer-secret-file -d 'Read the app\'s consumer secret from this file or pipe; one line end is taken off' -r -F
complete -c sfvault -n "__fish_sfvault_using_subcommand login" -l port -d 'Listen on this port of this host for the browser; 0 for any that is free' -r
complete -c sfvault -n "__fish_sfvault_using_subcommand login" -l timeout -d 'How long the person may take, 30m at most' -r
complete -c sfvault -n "__fish_sfvault_using_subcommand login" -l production -d 'Log in at https://login.salesforce.com'
complete -c sfvault -n "__fish_sfvault_using_subcommand login" -l sandbox -d 'Log in at https://test.salesforce.com'
complete -c sfvault -n "__fish_sfvault_using_subcommand login" -l no-consumer-secret -d 'The app needs no consumer secret; without a record yet, that is so unless a file is given'
complete -c sfvault -n "__fish_sfvault_using_subcommand login" -l no-browser -d 'Open no browser here: the URL is opened by hand'
complete -c sfvault -n "__fish_sfvault_using_subcommand login" -l json -d 'Write data as JSON to stdout, and errors as JSON to stderr, one object a line'
complete -c sfvault -n "__fish_sfvault_using_subcommand login" -l no-autostart -d 'Start no daemon if none answers'
complete -c sfvault -n "__fish_sfvault_using_subcommand login" -l no-color -d 'Write without colours'
complete -c sfvault -n "__fish_sfvault_using_subcommand login" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sfvault -n "__fish_sfvault_using_subcommand rotate" -l password-file -d 'Read the password from this file or pipe; one line end is taken off' -r -F
complete -c sfvault -n "__fish_sfvault_using_subcommand rotate" -l token-file -d 'Read the security token from this file or pipe; one line end is taken off' -r -F
complete -c sfvault -n "__fish_sfvault_using_subcommand rotate" -l consumer-secret-file -d 'Read the app\'s consumer secret from this file or pipe; one line end is taken off' -r -F
complete -c sfvault -n "__fish_sfvault_using_subcommand rotate" -l private-key-file -d 'Read the private key from this file or pipe: PEM (PKCS#8 or PKCS#1), RSA, not encrypted' -r -F
complete -c sfvault -n "__fish_sfvault_using_subcommand rotate" -l refresh-token-file -d 'Read the refresh token from this file or pipe; one line end is taken off' -r -F
complete -c sfvault -n "__fish_sfvault_using_subcommand rotate" -l generate -d 'Generate a password, set it at Salesforce, and await the security token that Salesforce mails'
complete -c sfvault -n "__fish_sfvault_using_subcommand rotate" -l keep-old -d 'A generated password did not reach Salesforce: prove that the old secrets work, and drop it'
complete -c sfvault -n "__fish_sfvault_using_subcommand rotate" -l reveal-pending -d 'Show the generated password that awaits its security token, on the terminal only'
complete -c sfvault -n "__fish_sfvault_using_subcommand rotate" -l open -d 'Open the page where the record\'s user resets the security token, and say what to know of it'
complete -c sfvault -n "__fish_sfvault_using_subcommand rotate" -l no-token -d 'The user needs no security token here: the org trusts this host\'s IP address'
complete -c sfvault -n "__fish_sfvault_using_subcommand rotate" -l no-consumer-secret -d 'The app needs no consumer secret for this flow'
complete -c sfvault -n "__fish_sfvault_using_subcommand rotate" -l stdin -d 'Read one JSON object from stdin, whose keys are the flow\'s secrets, such as `password`'
complete -c sfvault -n "__fish_sfvault_using_subcommand rotate" -l json -d 'Write data as JSON to stdout, and errors as JSON to stderr, one object a line'
complete -c sfvault -n "__fish_sfvault_using_subcommand rotate" -l no-autostart -d 'Start no daemon if none answers'
complete -c sfvault -n "__fish_sfvault_using_subcommand rotate" -l no-color -d 'Write without colours'
complete -c sfvault -n "__fish_sfvault_using_subcommand rotate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sfvault -n "__fish_sfvault_using_subcommand migrate" -l flow -d 'How to log in from now on' -r -f -a "soap-login\t'SOAP login() with password and security token'
username-password\t'OAuth with password and security token'
client-credentials\t'OAuth as the app\'s run-as user, at the org\'s My Domain'
jwt-bearer\t'OAuth with an assertion that a private key signs'
refresh-token\t'OAuth with the refresh token of a user who approved the app'"
complete -c sfvault -n "__fish_sfvault_using_subcommand migrate" -l login-url -d 'Log in at this URL, best the org\'s My Domain: https://MYDOMAIN.my.salesforce.com' -r
complete -c sfvault -n "__fish_sfvault_using_subcommand migrate" -l username -d 'The Salesforce user name; for the flows that send one' -r
complete -c sfvault -n "__fish_sfvault_using_subcommand migrate" -l consumer-key -d 'The consumer key of the app that logs in; for the OAuth flows' -r
complete -c sfvault -n "__fish_sfvault_using_subcommand migrate" -l audience -d 'The `aud` of the assertion [default: the login host of the org\'s environment]; for `jwt-bearer`' -r
complete -c sfvault -n "__fish_sfvault_using_subcommand migrate" -l expect-user -d 'The new login must lead to this user, if it is another than the present one: its id of 15 or 18 characters' -r
complete -c sfvault -n "__fish_sfvault_using_subcommand migrate" -l expect-org -d 'The new login must lead to this org, if it is another than the present one: its id of 15 or 18 characters' -r
complete -c sfvault -n "__fish_sfvault_using_subcommand migrate" -l password-file -d 'Read the password from this file or pipe; one line end is taken off' -r -F
complete -c sfvault -n "__fish_sfvault_using_subcommand migrate" -l token-file -d 'Read the security token from this file or pipe; one line end is taken off' -r -F
complete -c sfvault -n "__fish_sfvault_using_subcommand migrate" -l consumer-secret-file -d 'Read the app\'s consumer secret from this file or pipe; one line end is taken off' -r -F
complete -c sfvault -n "__fish_sfvault_using_subcommand migrate" -l private-key-file -d 'Read the private key from this file or pipe: PEM (PKCS#8 or PKCS#1), RSA, not encrypted' -r -F
complete -c sfvault -n "__fish_sfvault_using_subcommand migrate" -l refresh-token-file -d 'Read the refresh token from this file or pipe; one line end is taken off' -r -F
complete -c sfvault -n "__fish_sfvault_using_subcommand migrate" -l production -d 'Log in at https://login.salesforce.com'
complete -c sfvault -n "__fish_sfvault_using_subcommand migrate" -l sandbox -d 'Log in at https://test.salesforce.com'
complete -c sfvault -n "__fish_sfvault_using_subcommand migrate" -l dry-run -d 'Log in the new way and compare, and change nothing'
complete -c sfvault -n "__fish_sfvault_using_subcommand migrate" -l no-token -d 'The user needs no security token here: the org trusts this host\'s IP address'
complete -c sfvault -n "__fish_sfvault_using_subcommand migrate" -l no-consumer-secret -d 'The app needs no consumer secret for this flow'
complete -c sfvault -n "__fish_sfvault_using_subcommand migrate" -l stdin -d 'Read one JSON object from stdin, whose keys are the flow\'s secrets, such as `password`'
complete -c sfvault -n "__fish_sfvault_using_subcommand migrate" -l back -d 'Return to the login that the last migration kept; the present one is kept in its place'
complete -c sfvault -n "__fish_sfvault_using_subcommand migrate" -l no-check -d 'With `--back`: do not log in with the kept login first'
complete -c sfvault -n "__fish_sfvault_using_subcommand migrate" -l forget-old -d 'Wipe the login that the last migration kept'
complete -c sfvault -n "__fish_sfvault_using_subcommand migrate" -l json -d 'Write data as JSON to stdout, and errors as JSON to stderr, one object a line'
complete -c sfvault -n "__fish_sfvault_using_subcommand migrate" -l no-autostart -d 'Start no daemon if none answers'
complete -c sfvault -n "__fish_sfvault_using_subcommand migrate" -l no-color -d 'Write without colours'
complete -c sfvault -n "__fish_sfvault_using_subcommand migrate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sfvault -n "__fish_sfvault_using_subcommand remove" -l yes -d 'Do not ask'
complete -c sfvault -n "__fish_sfvault_using_subcommand remove" -l with-generated-password -d 'Also a generated password that awaits its security token: nobody knows it afterwards'
complete -c sfvault -n "__fish_sfvault_using_subcommand remove" -l json -d 'Write data as JSON to stdout, and errors as JSON to stderr, one object a line'
complete -c sfvault -n "__fish_sfvault_using_subcommand remove" -l no-autostart -d 'Start no daemon if none answers'
complete -c sfvault -n "__fish_sfvault_using_subcommand remove" -l no-color -d 'Write without colours'
complete -c sfvault -n "__fish_sfvault_using_subcommand remove" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sfvault -n "__fish_sfvault_using_subcommand logout" -l yes -d 'Do not ask'
complete -c sfvault -n "__fish_sfvault_using_subcommand logout" -l json -d 'Write data as JSON to stdout, and errors as JSON to stderr, one object a line'
complete -c sfvault -n "__fish_sfvault_using_subcommand logout" -l no-autostart -d 'Start no daemon if none answers'
complete -c sfvault -n "__fish_sfvault_using_subcommand logout" -l no-color -d 'Write without colours'
complete -c sfvault -n "__fish_sfvault_using_subcommand logout" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sfvault -n "__fish_sfvault_using_subcommand check" -l release -d 'Lift what keeps the record from logging in first, and log in once more with the same secrets'
complete -c sfvault -n "__fish_sfvault_using_subcommand check" -l json -d 'Write data as JSON to stdout, and errors as JSON to stderr, one object a line'
complete -c sfvault -n "__fish_sfvault_using_subcommand check" -l no-autostart -d 'Start no daemon if none answers'
complete -c sfvault -n "__fish_sfvault_using_subcommand check" -l no-color -d 'Write without colours'
complete -c sfvault -n "__fish_sfvault_using_subcommand check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sfvault -n "__fish_sfvault_using_subcommand allow" -l uid -d 'The user of the job: its name, or its number' -r
complete -c sfvault -n "__fish_sfvault_using_subcommand allow" -l gid -d 'A group of the job: its name, or its number' -r
complete -c sfvault -n "__fish_sfvault_using_subcommand allow" -l unit -d 'The system unit in which the job runs, such as nightly.service' -r
complete -c sfvault -n "__fish_sfvault_using_subcommand allow" -l user-unit -d 'The unit of the user\'s own manager (systemctl --user); only with --uid' -r
complete -c sfvault -n "__fish_sfvault_using_subcommand allow" -l exe -d 'The program of the job, by its real path; only with --uid' -r -F
complete -c sfvault -n "__fish_sfvault_using_subcommand allow" -l json -d 'Write data as JSON to stdout, and errors as JSON to stderr, one object a line'
complete -c sfvault -n "__fish_sfvault_using_subcommand allow" -l no-autostart -d 'Start no daemon if none answers'
complete -c sfvault -n "__fish_sfvault_using_subcommand allow" -l no-color -d 'Write without colours'
complete -c sfvault -n "__fish_sfvault_using_subcommand allow" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sfvault -n "__fish_sfvault_using_subcommand deny" -l uid -d 'The user of the job: its name, or its number' -r
complete -c sfvault -n "__fish_sfvault_using_subcommand deny" -l gid -d 'A group of the job: its name, or its number' -r
complete -c sfvault -n "__fish_sfvault_using_subcommand deny" -l unit -d 'The system unit in which the job runs, such as nightly.service' -r
complete -c sfvault -n "__fish_sfvault_using_subcommand deny" -l user-unit -d 'The unit of the user\'s own manager (systemctl --user); only with --uid' -r
complete -c sfvault -n "__fish_sfvault_using_subcommand deny" -l exe -d 'The program of the job, by its real path; only with --uid' -r -F
complete -c sfvault -n "__fish_sfvault_using_subcommand deny" -l all -d 'Remove all rules: nobody may use the record'
complete -c sfvault -n "__fish_sfvault_using_subcommand deny" -l json -d 'Write data as JSON to stdout, and errors as JSON to stderr, one object a line'
complete -c sfvault -n "__fish_sfvault_using_subcommand deny" -l no-autostart -d 'Start no daemon if none answers'
complete -c sfvault -n "__fish_sfvault_using_subcommand deny" -l no-color -d 'Write without colours'
complete -c sfvault -n "__fish_sfvault_using_subcommand deny" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sfvault -n "__fish_sfvault_using_subcommand access" -l json -d 'Write data as JSON to stdout, and errors as JSON to stderr, one object a line'
complete -c sfvault -n "__fish_sfvault_using_subcommand access" -l no-autostart -d 'Start no daemon if none answers'
complete -c sfvault -n "__fish_sfvault_using_subcommand access" -l no-color -d 'Write without colours'
complete -c sfvault -n "__fish_sfvault_using_subcommand access" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sfvault -n "__fish_sfvault_using_subcommand explain" -l pid -d 'The process' -r
complete -c sfvault -n "__fish_sfvault_using_subcommand explain" -l json -d 'Write data as JSON to stdout, and errors as JSON to stderr, one object a line'
complete -c sfvault -n "__fish_sfvault_using_subcommand explain" -l no-autostart -d 'Start no daemon if none answers'
complete -c sfvault -n "__fish_sfvault_using_subcommand explain" -l no-color -d 'Write without colours'
complete -c sfvault -n "__fish_sfvault_using_subcommand explain" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sfvault -n "__fish_sfvault_using_subcommand get" -l min-ttl -d 'The session must be guaranteed for at least this long, such as `30m`; three eighths of the org\'s session timeout is the longest possible: 45m with the usual 2 hours' -r
complete -c sfvault -n "__fish_sfvault_using_subcommand get" -l refused-generation -d 'Salesforce refused the session of this generation: give another' -r
complete -c sfvault -n "__fish_sfvault_using_subcommand get" -l expect-org -d 'Fail unless the record belongs to this org: its id of 15 or 18 characters' -r
complete -c sfvault -n "__fish_sfvault_using_subcommand get" -l wait -d 'Wait so long for a locked vault, a rejected credential or an outage to be mended, 24h at most' -r
complete -c sfvault -n "__fish_sfvault_using_subcommand get" -l format -d 'What to write [default: `session-id`, with `--json` or `--follow` `json`]' -r -f -a "session-id\t'The session id'
json\t'One JSON object'
env\t'Lines of `KEY=\'value\'`, for `eval` and for systemd\'s `EnvironmentFile`'
header\t'The HTTP header `Authorization`'
url\t'The instance URL'"
complete -c sfvault -n "__fish_sfvault_using_subcommand get" -l expect-sandbox -d 'Fail unless the org is a sandbox or a scratch org'
complete -c sfvault -n "__fish_sfvault_using_subcommand get" -l expect-production -d 'Fail unless the org is neither'
complete -c sfvault -n "__fish_sfvault_using_subcommand get" -l follow -d 'Write a JSON line for each session that follows too, and keep the session alive, until a signal comes'
complete -c sfvault -n "__fish_sfvault_using_subcommand get" -l json -d 'Write data as JSON to stdout, and errors as JSON to stderr, one object a line'
complete -c sfvault -n "__fish_sfvault_using_subcommand get" -l no-autostart -d 'Start no daemon if none answers'
complete -c sfvault -n "__fish_sfvault_using_subcommand get" -l no-color -d 'Write without colours'
complete -c sfvault -n "__fish_sfvault_using_subcommand get" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sfvault -n "__fish_sfvault_using_subcommand exec" -l min-ttl -d 'The session must be guaranteed for at least this long, such as `30m`; three eighths of the org\'s session timeout is the longest possible: 45m with the usual 2 hours' -r
complete -c sfvault -n "__fish_sfvault_using_subcommand exec" -l refused-generation -d 'Salesforce refused the session of this generation: give another' -r
complete -c sfvault -n "__fish_sfvault_using_subcommand exec" -l expect-org -d 'Fail unless the record belongs to this org: its id of 15 or 18 characters' -r
complete -c sfvault -n "__fish_sfvault_using_subcommand exec" -l wait -d 'Wait so long for a locked vault, a rejected credential or an outage to be mended, 24h at most' -r
complete -c sfvault -n "__fish_sfvault_using_subcommand exec" -l refresh-file -d 'Keep the session in this file while the command runs: alive, and replaced when it must be' -r -F
complete -c sfvault -n "__fish_sfvault_using_subcommand exec" -l expect-sandbox -d 'Fail unless the org is a sandbox or a scratch org'
complete -c sfvault -n "__fish_sfvault_using_subcommand exec" -l expect-production -d 'Fail unless the org is neither'
complete -c sfvault -n "__fish_sfvault_using_subcommand exec" -l json -d 'Write data as JSON to stdout, and errors as JSON to stderr, one object a line'
complete -c sfvault -n "__fish_sfvault_using_subcommand exec" -l no-autostart -d 'Start no daemon if none answers'
complete -c sfvault -n "__fish_sfvault_using_subcommand exec" -l no-color -d 'Write without colours'
complete -c sfvault -n "__fish_sfvault_using_subcommand exec" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sfvault -n "__fish_sfvault_using_subcommand log; and not __fish_seen_subcommand_from verify help" -l since -d 'Only from this time on, such as `2026-11-21T20:42:44Z`, `2026-11-21`, or `2h` for two hours ago' -r
complete -c sfvault -n "__fish_sfvault_using_subcommand log; and not __fish_seen_subcommand_from verify help" -l peer-uid -d 'Only of this user: its name, or its number' -r
complete -c sfvault -n "__fish_sfvault_using_subcommand log; and not __fish_seen_subcommand_from verify help" -l action -d 'Only this action, such as `get`, `login` or `set`' -r
complete -c sfvault -n "__fish_sfvault_using_subcommand log; and not __fish_seen_subcommand_from verify help" -l fingerprint -d 'Only of the session with this fingerprint' -r
complete -c sfvault -n "__fish_sfvault_using_subcommand log; and not __fish_seen_subcommand_from verify help" -l session-file -d 'Only of the session whose id is in this file' -r -F
complete -c sfvault -n "__fish_sfvault_using_subcommand log; and not __fish_seen_subcommand_from verify help" -l last -d 'Of what is there, only the newest N lines' -r
complete -c sfvault -n "__fish_sfvault_using_subcommand log; and not __fish_seen_subcommand_from verify help" -l denied -d 'Only what was denied'
complete -c sfvault -n "__fish_sfvault_using_subcommand log; and not __fish_seen_subcommand_from verify help" -l follow -d 'Go on with what is yet to come'
complete -c sfvault -n "__fish_sfvault_using_subcommand log; and not __fish_seen_subcommand_from verify help" -l json -d 'Write data as JSON to stdout, and errors as JSON to stderr, one object a line'
complete -c sfvault -n "__fish_sfvault_using_subcommand log; and not __fish_seen_subcommand_from verify help" -l no-autostart -d 'Start no daemon if none answers'
complete -c sfvault -n "__fish_sfvault_using_subcommand log; and not __fish_seen_subcommand_from verify help" -l no-color -d 'Write without colours'
complete -c sfvault -n "__fish_sfvault_using_subcommand log; and not __fish_seen_subcommand_from verify help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sfvault -n "__fish_sfvault_using_subcommand log; and not __fish_seen_subcommand_from verify help" -a "verify" -d 'Check that no line was changed, removed, reordered or cut off'
complete -c sfvault -n "__fish_sfvault_using_subcommand log; and not __fish_seen_subcommand_from verify help" -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c sfvault -n "__fish_sfvault_using_subcommand log; and __fish_seen_subcommand_from verify" -l json -d 'Write data as JSON to stdout, and errors as JSON to stderr, one object a line'
complete -c sfvault -n "__fish_sfvault_using_subcommand log; and __fish_seen_subcommand_from verify" -l no-autostart -d 'Start no daemon if none answers'
complete -c sfvault -n "__fish_sfvault_using_subcommand log; and __fish_seen_subcommand_from verify" -l no-color -d 'Write without colours'
complete -c sfvault -n "__fish_sfvault_using_subcommand log; and __fish_seen_subcommand_from verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sfvault -n "__fish_sfvault_using_subcommand log; and __fish_seen_subcommand_from help" -f -a "verify" -d 'Check that no line was changed, removed, reordered or cut off'
complete -c sfvault -n "__fish_sfvault_using_subcommand log; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c sfvault -n "__fish_sfvault_using_subcommand usage" -l since -d 'Only from this time on, such as `2026-11-21T20:42:44Z`, `2026-11-21`, or `2h` for two hours ago' -r
complete -c sfvault -n "__fish_sfvault_using_subcommand usage" -l json -d 'Write data as JSON to stdout, and errors as JSON to stderr, one object a line'
complete -c sfvault -n "__fish_sfvault_using_subcommand usage" -l no-autostart -d 'Start no daemon if none answers'
complete -c sfvault -n "__fish_sfvault_using_subcommand usage" -l no-color -d 'Write without colours'
complete -c sfvault -n "__fish_sfvault_using_subcommand usage" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sfvault -n "__fish_sfvault_using_subcommand doctor" -l login -d 'Also prove that each record works, with a login where there is no session'
complete -c sfvault -n "__fish_sfvault_using_subcommand doctor" -l offline -d 'Ask no host of Salesforce anything'
complete -c sfvault -n "__fish_sfvault_using_subcommand doctor" -s a -l all -d 'Show also what is as it should be'
complete -c sfvault -n "__fish_sfvault_using_subcommand doctor" -l json -d 'Write data as JSON to stdout, and errors as JSON to stderr, one object a line'
complete -c sfvault -n "__fish_sfvault_using_subcommand doctor" -l no-autostart -d 'Start no daemon if none answers'
complete -c sfvault -n "__fish_sfvault_using_subcommand doctor" -l no-color -d 'Write without colours'
complete -c sfvault -n "__fish_sfvault_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sfvault -n "__fish_sfvault_using_subcommand completions" -l json -d 'Write data as JSON to stdout, and errors as JSON to stderr, one object a line'
complete -c sfvault -n "__fish_sfvault_using_subcommand completions" -l no-autostart -d 'Start no daemon if none answers'
complete -c sfvault -n "__fish_sfvault_using_subcommand completions" -l no-color -d 'Write without colours'
complete -c sfvault -n "__fish_sfvault_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sfvault -n "__fish_sfvault_using_subcommand man" -l dir -d 'Write the pages of all commands into this directory, which is made if need be' -r -F
complete -c sfvault -n "__fish_sfvault_using_subcommand man" -l json -d 'Write data as JSON to stdout, and errors as JSON to stderr, one object a line'
complete -c sfvault -n "__fish_sfvault_using_subcommand man" -l no-autostart -d 'Start no daemon if none answers'
complete -c sfvault -n "__fish_sfvault_using_subcommand man" -l no-color -d 'Write without colours'
complete -c sfvault -n "__fish_sfvault_using_subcommand man" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sfvault -n "__fish_sfvault_using_subcommand help; and not __fish_seen_subcommand_from init unlock lock status add list show set login rotate migrate remove logout check allow deny access explain get exec log usage doctor completions man help" -f -a "init" -d 'Make the vault, and leave it unlocked'
complete -c sfvault -n "__fish_sfvault_using_subcommand help; and not __fish_seen_subcommand_from init unlock lock status add list show set login rotate migrate remove logout check allow deny access explain get exec log usage doctor completions man help" -f -a "unlock" -d 'Unlock the vault'
complete -c sfvault -n "__fish_sfvault_using_subcommand help; and not __fish_seen_subcommand_from init unlock lock status add list show set login rotate migrate remove logout check allow deny access explain get exec log usage doctor completions man help" -f -a "lock" -d 'Lock the vault: keys and sessions leave the daemon\'s memory'
complete -c sfvault -n "__fish_sfvault_using_subcommand help; and not __fish_seen_subcommand_from init unlock lock status add list show set login rotate migrate remove logout check allow deny access explain get exec log usage doctor completions man help" -f -a "status" -d 'Tell how the daemon, the vault and the records are'
complete -c sfvault -n "__fish_sfvault_using_subcommand help; and not __fish_seen_subcommand_from init unlock lock status add list show set login rotate migrate remove logout check allow deny access explain get exec log usage doctor completions man help" -f -a "add" -d 'Add a record: a named Salesforce login'
complete -c sfvault -n "__fish_sfvault_using_subcommand help; and not __fish_seen_subcommand_from init unlock lock status add list show set login rotate migrate remove logout check allow deny access explain get exec log usage doctor completions man help" -f -a "list" -d 'List the records that this user may use'
complete -c sfvault -n "__fish_sfvault_using_subcommand help; and not __fish_seen_subcommand_from init unlock lock status add list show set login rotate migrate remove logout check allow deny access explain get exec log usage doctor completions man help" -f -a "show" -d 'Show a record without its secrets'
complete -c sfvault -n "__fish_sfvault_using_subcommand help; and not __fish_seen_subcommand_from init unlock lock status add list show set login rotate migrate remove logout check allow deny access explain get exec log usage doctor completions man help" -f -a "set" -d 'Change secrets of a record'
complete -c sfvault -n "__fish_sfvault_using_subcommand help; and not __fish_seen_subcommand_from init unlock lock status add list show set login rotate migrate remove logout check allow deny access explain get exec log usage doctor completions man help" -f -a "login" -d 'Get a refresh token by a login in a browser'
complete -c sfvault -n "__fish_sfvault_using_subcommand help; and not __fish_seen_subcommand_from init unlock lock status add list show set login rotate migrate remove logout check allow deny access explain get exec log usage doctor completions man help" -f -a "rotate" -d 'Change secrets of a record after one login has proved the new ones'
complete -c sfvault -n "__fish_sfvault_using_subcommand help; and not __fish_seen_subcommand_from init unlock lock status add list show set login rotate migrate remove logout check allow deny access explain get exec log usage doctor completions man help" -f -a "migrate" -d 'Change how a record logs in, after a rehearsal'
complete -c sfvault -n "__fish_sfvault_using_subcommand help; and not __fish_seen_subcommand_from init unlock lock status add list show set login rotate migrate remove logout check allow deny access explain get exec log usage doctor completions man help" -f -a "remove" -d 'Remove a record'
complete -c sfvault -n "__fish_sfvault_using_subcommand help; and not __fish_seen_subcommand_from init unlock lock status add list show set login rotate migrate remove logout check allow deny access explain get exec log usage doctor completions man help" -f -a "logout" -d 'End the session of a record at Salesforce, for all who share it'
complete -c sfvault -n "__fish_sfvault_using_subcommand help; and not __fish_seen_subcommand_from init unlock lock status add list show set login rotate migrate remove logout check allow deny access explain get exec log usage doctor completions man help" -f -a "check" -d 'Prove that a record works'
complete -c sfvault -n "__fish_sfvault_using_subcommand help; and not __fish_seen_subcommand_from init unlock lock status add list show set login rotate migrate remove logout check allow deny access explain get exec log usage doctor completions man help" -f -a "allow" -d 'Let somebody use a record'
complete -c sfvault -n "__fish_sfvault_using_subcommand help; and not __fish_seen_subcommand_from init unlock lock status add list show set login rotate migrate remove logout check allow deny access explain get exec log usage doctor completions man help" -f -a "deny" -d 'Take a rule of `allow` back'
complete -c sfvault -n "__fish_sfvault_using_subcommand help; and not __fish_seen_subcommand_from init unlock lock status add list show set login rotate migrate remove logout check allow deny access explain get exec log usage doctor completions man help" -f -a "access" -d 'Show who may use a record'
complete -c sfvault -n "__fish_sfvault_using_subcommand help; and not __fish_seen_subcommand_from init unlock lock status add list show set login rotate migrate remove logout check allow deny access explain get exec log usage doctor completions man help" -f -a "explain" -d 'Tell whether a process could use a record, and what it lacks'
complete -c sfvault -n "__fish_sfvault_using_subcommand help; and not __fish_seen_subcommand_from init unlock lock status add list show set login rotate migrate remove logout check allow deny access explain get exec log usage doctor completions man help" -f -a "get" -d 'Write a session to stdout'
complete -c sfvault -n "__fish_sfvault_using_subcommand help; and not __fish_seen_subcommand_from init unlock lock status add list show set login rotate migrate remove logout check allow deny access explain get exec log usage doctor completions man help" -f -a "exec" -d 'Run a command with a session in its environment'
complete -c sfvault -n "__fish_sfvault_using_subcommand help; and not __fish_seen_subcommand_from init unlock lock status add list show set login rotate migrate remove logout check allow deny access explain get exec log usage doctor completions man help" -f -a "log" -d 'Tell who asked for what, and what came of it'
complete -c sfvault -n "__fish_sfvault_using_subcommand help; and not __fish_seen_subcommand_from init unlock lock status add list show set login rotate migrate remove logout check allow deny access explain get exec log usage doctor completions man help" -f -a "usage" -d 'Tell who used a record, how often and when last'
complete -c sfvault -n "__fish_sfvault_using_subcommand help; and not __fish_seen_subcommand_from init unlock lock status add list show set login rotate migrate remove logout check allow deny access explain get exec log usage doctor completions man help" -f -a "doctor" -d 'Find what is wrong, and what will stop working and when'
complete -c sfvault -n "__fish_sfvault_using_subcommand help; and not __fish_seen_subcommand_from init unlock lock status add list show set login rotate migrate remove logout check allow deny access explain get exec log usage doctor completions man help" -f -a "completions" -d 'Write a completion script for a shell'
complete -c sfvault -n "__fish_sfvault_using_subcommand help; and not __fish_seen_subcommand_from init unlock lock status add list show set login rotate migrate remove logout check allow deny access explain get exec log usage doctor completions man help" -f -a "man" -d 'Write the manual pages'
complete -c sfvault -n "__fish_sfvault_using_subcommand help; and not __fish_seen_subcommand_from init unlock lock status add list show set login rotate migrate remove logout check allow deny access explain get exec log usage doctor completions man help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c sfvault -n "__fish_sfvault_using_subcommand help; and __fish_seen_subcommand_from log" -f -a "verify" -d 'Check that no line was changed, removed, reordered or cut off'
