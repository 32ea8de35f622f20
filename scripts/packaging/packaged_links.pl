#!/usr/bin/perl
# packaged_links.pl FOLDER: makes the links of the packaged pages in FOLDER right. One that leads to a
# page that has another name there gets that name; one that leads into the source tree alone becomes
# its text.
use strict;
use warnings;

my $folder = shift;
my %names = (
    'scripts/tuning/README.md' => '../../millrace/tuning/README.md',
    'src/broker/README.md' => 'broker.md',
    'src/server/README.md' => 'server.md',
    map { ("docs/$_" => $_) } qw(architecture.md dpdk.md operations.md),
);
my %home = ('README.md' => '', 'broker.md' => 'src/broker/', 'server.md' => 'src/server/');

sub packaged {
    my ($page, $text, $link) = @_;
    return "[$text]($link)" if $link =~ /^(#|https?:)/;
    my ($path, $anchor) = $link =~ /^([^#]*)(.*)$/;
    $path = ($home{$page} // 'docs/') . $path;
    1 while $path =~ s{[^/.]+/\.\./}{};
    my $name = $names{$path} // ($path eq 'README.md' ? $path : undef);
    return defined $name ? "[$text]($name$anchor)" : $text;
}

for my $file (glob "$folder/*.md") {
    my ($page) = $file =~ m{([^/]+)$};
    open my $in, '<', $file or die "$file: $!";
    my $content = do { local $/; <$in> };
    close $in;
    $content =~ s{(?<!!)\[([^\]]*)\]\(([^)\s]+)\)}{packaged($page, $1, $2)}ge;
    open my $out, '>', $file or die "$file: $!";
    print {$out} $content;
    close $out;
}
