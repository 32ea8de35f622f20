#include "admin/profiles/modules.h"

#include <cstdlib>
#include <string_view>

#include <cxxabi.h>
#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

namespace millrace {
namespace {

constexpr std::string_view deleted_suffix = " (deleted)";

// The program goes on running after its file was replaced.
int find_elf(Dwfl_Module* module, void** data, const char* name, Dwarf_Addr base, char** file,
             Elf** elf) {
    if (std::string_view(name).ends_with(deleted_suffix)) {
        char program[4'096];
        const ssize_t bytes = ::readlink("/proc/self/exe", program, sizeof(program));
        if (bytes <= 0 || std::string_view(program, static_cast<size_t>(bytes)) != name) return -1;
        return ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    }
    // Only regular files and the kernel's own page: opening a device may do anything.
    return ::dwfl_linux_proc_find_elf(module, data, name, base, file, elf);
}

// Not the standard search, which asks debuginfod servers when the environment names some.
const Dwfl_Callbacks callbacks{.find_elf = find_elf,
                               .find_debuginfo = ::dwfl_build_id_find_debuginfo,
                               .section_address = nullptr,
                               .debuginfo_path = nullptr};

std::string demangled(const char* name) {
    int status = 0;
    char* text = abi::__cxa_demangle(name, nullptr, nullptr, &status);
    std::string out = status == 0 && text != nullptr ? text : name;
    std::free(text);
    return out;
}

std::string hexadecimal(const unsigned char* bytes, int count) {
    std::string out;
    for (int index = 0; index < count; ++index) out += fmt::format("{:02x}", bytes[index]);
    return out;
}

class DwflModules final : public Modules {
public:
    DwflModules() : dwfl_(::dwfl_begin(&callbacks)) {}
    ~DwflModules() override {
        if (dwfl_ != nullptr) ::dwfl_end(dwfl_);
    }

    bool read_map() {
        return dwfl_ != nullptr && ::dwfl_linux_proc_report(dwfl_, ::getpid()) == 0 &&
               ::dwfl_report_end(dwfl_, nullptr, nullptr) == 0;
    }

    std::string function(uint64_t address) override {
        Dwfl_Module* module = ::dwfl_addrmodule(dwfl_, address);
        if (module == nullptr) return "[outside of all files]";
        GElf_Off offset = 0;
        GElf_Sym symbol{};
        const char* name = ::dwfl_module_addrinfo(module, address, &offset, &symbol, nullptr,
                                                  nullptr, nullptr);
        // The next symbol before it is a guess, unless it says that it reaches there.
        const bool contains = symbol.st_size == 0 ? offset == 0 : offset < symbol.st_size;
        if (name != nullptr && contains) return demangled(name);
        const Profile::Mapping file = mapping_of(module);
        const std::string_view path = file.file;
        return fmt::format("{}+0x{:x}", path.substr(path.rfind('/') + 1), address - file.start);
    }

    std::optional<Profile::Mapping> mapping(uint64_t address) override {
        Dwfl_Module* module = ::dwfl_addrmodule(dwfl_, address);
        if (module == nullptr) return std::nullopt;
        return mapping_of(module);
    }

private:
    static Profile::Mapping mapping_of(Dwfl_Module* module) {
        Dwarf_Addr start = 0;
        Dwarf_Addr limit = 0;
        const char* file = ::dwfl_module_info(module, nullptr, &start, &limit, nullptr, nullptr,
                                              nullptr, nullptr);
        GElf_Addr bias = 0;
        ::dwfl_module_getelf(module, &bias);  // finds the identity, too
        const unsigned char* id = nullptr;
        GElf_Addr id_address = 0;
        const int id_bytes = ::dwfl_module_build_id(module, &id, &id_address);
        return {.start = start,
                .limit = limit,
                .offset = 0,
                .file = file == nullptr ? "" : file,
                .build_id = id_bytes > 0 ? hexadecimal(id, id_bytes) : ""};
    }

    Dwfl* const dwfl_;
};

}  // namespace

Outcome<std::unique_ptr<Modules>> Modules::of_this_process() {
    auto modules = std::make_unique<DwflModules>();
    if (!modules->read_map()) {
        const char* reason = ::dwfl_errmsg(-1);
        return fail(Errc::system,
                    fmt::format("the files of this process can't be told from /proc/self/maps: {}",
                                reason == nullptr ? "no reason is given" : reason));
    }
    return modules;
}

}  // namespace millrace
