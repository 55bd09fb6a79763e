#!/usr/bin/perl
# by_maildkim.pl KEYS -- what Mail::DKIM makes of messages; a judge (rig.py).
# It knows RSA alone.  With --sign DOMAIN SELECTOR KEYFILE behind it signs instead, as
# by_opendkim.py does.
use strict;
use warnings;
use JSON::PP;
use Mail::DKIM::Signer;
use Mail::DKIM::Verifier;
use Net::DNS;

open my $f, '<', $ARGV[0] or die;
my $keys = decode_json(join '', <$f>);
close $f;

package Texts;
sub new { return bless {}, shift }
sub errorstring { return 'NXDOMAIN' }

sub send {
    my ($self, $name, $type) = @_;
    my $packet = Net::DNS::Packet->new($name, $type);
    my $texts = $keys->{lc $name};
    $packet->header->rcode($texts ? 'NOERROR' : 'NXDOMAIN');
    for my $text (@{ $texts || [] }) {
        my @parts = $text =~ /(.{1,255})/gs;
        $packet->push(answer => Net::DNS::RR->new(
            owner => $name, type => 'TXT', ttl => 60, txtdata => [@parts]));
    }
    return $packet;
}

package main;
Mail::DKIM::DNS::resolver(Texts->new);
$| = 1;
while (@ARGV > 1 and my $line = <STDIN>) {
    my $ask = decode_json($line);
    my $signer = Mail::DKIM::Signer->new(Algorithm => $ask->{algorithm}, Domain => $ARGV[2],
        Method => "$ask->{header}/$ask->{body}", Selector => $ARGV[3], KeyFile => $ARGV[4]);
    open my $in, '<:raw', $ask->{path} or die "$ask->{path}: $!";
    $signer->PRINT(join '', <$in>);
    close $in;
    $signer->CLOSE;
    print encode_json({ field => $signer->signature->as_string }), "\n";
}
while (my $path = <STDIN>) {
    chomp $path;
    open my $in, '<:raw', $path or die "$path: $!";
    my $octets = join '', <$in>;
    close $in;
    my @said;
    eval {
        my $v = Mail::DKIM::Verifier->new(Strict => 1);
        $v->PRINT($octets);
        $v->CLOSE;
        for my $s ($v->signatures) {
            push @said, { pass => $s->result eq 'pass' ? JSON::PP::true : JSON::PP::false,
                why => $s->result_detail, b => substr(($s->data // '') =~ s/\s//gr, 0, 8) };
        }
        1;
    } or do {
        print encode_json({ skip => "$@" }), "\n";
        next;
    };
    print encode_json(\@said), "\n";
}
