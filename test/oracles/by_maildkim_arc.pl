#!/usr/bin/perl
# by_maildkim_arc.pl KEYS KEY DOMAIN SELECTOR -- what Mail::DKIM makes of ARC chains,
# and its own seals; a judge (rig.py) that hears lines of judge_arc.c.
use strict;
use warnings;
use JSON::PP;
use Mail::DKIM::ARC::Signer;
use Mail::DKIM::ARC::Verifier;
use Mail::DKIM::PrivateKey;
use Net::DNS;

my ($texts, $key_file, $domain, $selector) = @ARGV;
open my $f, '<', $texts or die;
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
my $key = Mail::DKIM::PrivateKey->load(File => $key_file);

sub verify {
    my ($octets) = @_;
    my $v = Mail::DKIM::ARC::Verifier->new(Strict => 1);
    $v->PRINT($octets);
    $v->CLOSE;
    my $result = $v->result;
    $result = 'fail' unless $result eq 'pass' || $result eq 'none';
    return { result => $result, why => $v->result_detail };
}

sub seal {
    my ($path, $octets, $cv) = @_;
    my $found = "Authentication-Results: $domain; arc=$cv; spf=pass\r\n";
    my $s = Mail::DKIM::ARC::Signer->new(Algorithm => 'rsa-sha256', Chain => $cv, Domain => $domain,
        SrvId => $domain, Selector => $selector, Key => $key,
        Headers => 'from:to:subject:date:message-id:dkim-signature');
    $s->PRINT($found . $octets);
    $s->CLOSE;
    die $s->result . "\n" unless $s->result eq 'sealed';
    my $set = $s->as_string;
    $set =~ s/\r?\n/\r\n/g;
    $set =~ s/(\r\n)*\z/\r\n/;
    open my $out, '>:raw', $path or die;
    print $out $set . $found . $octets;
    close $out;
}

$| = 1;
while (my $path = <STDIN>) {
    chomp $path;
    my $wants_seal = $path =~ s/^seal //;
    open my $in, '<:raw', $path or die "$path: $!";
    my $octets = join '', <$in>;
    close $in;
    my $said;
    eval {
        $said = verify($octets);
        seal($path, $octets, $said->{result}) if $wants_seal;
        1;
    } or $said = { skip => "$@" };
    print encode_json($said), "\n";
}
