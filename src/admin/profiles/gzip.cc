#include "admin/profiles/gzip.h"

#include <fmt/format.h>
#include <zlib.h>

#include "base/assert.h"

namespace millrace {
namespace {

constexpr int window_bits_gzip = 15 + 16;  // zlib's way to ask for gzip's header

Bytef* input_of(std::string_view bytes) {
    return const_cast<Bytef*>(reinterpret_cast<const Bytef*>(bytes.data()));
}

}  // namespace

std::string gzip(std::string_view bytes) {
    MR_ASSERT(bytes.size() <= UINT32_MAX / 2);
    z_stream stream{};
    MR_ASSERT(::deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, window_bits_gzip, 8,
                             Z_DEFAULT_STRATEGY) == Z_OK);
    std::string out(::deflateBound(&stream, bytes.size()), '\0');
    stream.next_in = input_of(bytes);
    stream.avail_in = static_cast<uInt>(bytes.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    const int result = ::deflate(&stream, Z_FINISH);
    MR_ASSERT(result == Z_STREAM_END);
    out.resize(stream.total_out);
    ::deflateEnd(&stream);
    return out;
}

Outcome<std::string> ungzip(std::string_view bytes, uint64_t bytes_max) {
    constexpr size_t step = 64 * 1'024;
    if (bytes.size() > UINT32_MAX / 2) return fail(Errc::too_large, "over 2 GB of gzip");
    z_stream stream{};
    MR_ASSERT(::inflateInit2(&stream, window_bits_gzip) == Z_OK);
    stream.next_in = input_of(bytes);
    stream.avail_in = static_cast<uInt>(bytes.size());
    std::string out;
    int result = Z_OK;
    while (result == Z_OK && out.size() <= bytes_max) {
        const size_t filled = out.size();
        out.resize(filled + step);
        stream.next_out = reinterpret_cast<Bytef*>(out.data() + filled);
        stream.avail_out = step;
        result = ::inflate(&stream, Z_NO_FLUSH);
        out.resize(filled + step - stream.avail_out);
    }
    const bool is_whole = result == Z_STREAM_END && stream.avail_in == 0;
    ::inflateEnd(&stream);
    if (out.size() > bytes_max) {
        return fail(Errc::too_large, fmt::format("more than {} bytes are packed in it", bytes_max));
    }
    if (!is_whole) return fail(Errc::malformed, "it's no gzip, or a part of one");
    return out;
}

}  // namespace millrace
