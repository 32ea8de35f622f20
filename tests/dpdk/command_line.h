// How the programs beside this file read their arguments.
#pragma once

#include <CLI/CLI.hpp>

namespace millrace::test {

// Parses, then translates what was read, which may throw CLI::Error too. False when the program is
// to end at once, with `status`: bad arguments or --help.
template <class Translate>
bool read_command_line(CLI::App& app, int count, char** arguments, int& status,
                       Translate&& translate) {
    try {
        app.parse(count, arguments);
        translate();
        return true;
    } catch (const CLI::Error& error) {
        status = app.exit(error);
        return false;
    }
}

}  // namespace millrace::test
