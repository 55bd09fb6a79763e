#!/usr/bin/perl
# by_maildkim.pl KEYS -- what Mail::DKIM makes of messages; a judge (rig.py).
# It knows RSA alone.
use strict;
use warnings;
use JSON::PP;
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
                why => $s->result_detail, b => substr($s->data // '', 0, 8) };
        }
        1;
    } or do {
        print encode_json({ skip => "$@" }), "\n";
        next;
    };
    print encode_json(\@said), "\n";
}
