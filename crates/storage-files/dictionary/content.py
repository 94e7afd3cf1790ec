"""What mail has in common, written down by hand: words, phrases, markup, header fields.

The rarest first: what is near the end of a dictionary costs the least to refer to.
"""

WORDS = """
ability able about above accept access according account across action active activity actually add added
addition additional address administration advance advice affected after afternoon again against age agency
agenda agent ago agree agreed agreement ahead air alert all allow almost alone along already also alternative
although always amount analysis announce annual another answer any anyone anything anyway apologies apparently
application apply appointment appreciate approach appropriate approval approve approximately april archive area
around arrange arrival arrive article ask aspect assessment asset assigned assistance associated assume attach
attached attachment attempt attend attention audience august author authority automatic automatically available
average avoid aware away back background backup bad balance bank bar base based basic basis because become been
before begin behind being believe below benefit best better between beyond big bill billing birthday bit black
block blue board body book booking both bottom box branch break bring brought browser budget bug build building
bus business but buy calendar call called came camera campaign can cancel cancelled cannot capacity car card care
career carefully carry case cash cause center central centre certain certificate chair chance change changed
changes channel charge charged cheap check checked child children choice choose circumstances citizen city claim
class clean clear clearly click client clients close closed code coffee colleague colleagues collect collection
college colour come comes coming comment comments commercial commit committed committee common communication
community company compare compatible compensation complaint complete completed completely completion computer
concern concerned condition conditions conference confidential configuration confirm confirmation confirmed
connect connection consider consideration constant consultant consumer contact contain contains content context
continue contract contribute contribution control conversation convert cookie copy copyright corner corporate
correct cost costs could council country county couple course court cover coverage create created creation credit
critical culture currency current currently custom customer customers cut daily damage dark data database date
dates day days deadline deal dear death december decide decided decision default definitely degree delay delete
delivered delivery demand demo department deposit description design desk desktop despite detail detailed details
develop developer developers development device devices did difference different difficult digital dinner direct
directly director directory disabled disclaimer discount discuss discussed discussion display distribution
document documentation documents does doing dollar done door double doubt down download draft drive driver drop
due during duty each earlier early easily east easy economic edit edition education effect effective effort either
election electronic element eligible else email emails emergency employee employees empty enable enabled encourage
end energy engine engineer engineering english enjoy enough ensure enter enterprise entire entitled entry
environment equipment error errors especially essential establish estate estimate europe european evaluation even
evening event events eventually ever every everyone everything evidence exactly example excellent except exception
exchange excited exclusive executive exist existing expect expected expense expenses experience expert expired
explain export extend extension external extra eye face facilities fact factor failed failure fair faith fall
family far fast father favorite feature features february fee feedback feel few field fields figure file files
fill final finally finance financial find fine finish finished fire firm first fit five fix fixed flag flight
flights floor flow focus folder follow followed following food football for force foreign forget form formal format
former forum forward forwarded found foundation four frame framework free frequently friday friend friends from
front full fully function fund funding funds further future gain game garden gas gateway gave general generally
generate german get getting gift girl give given giving global goal goes going gold good goods google got
government grand grant graph great green ground group groups growth guarantee guess guest guests guide guidelines
guys had half hall hand handle happen happened happens happy hard hardware has have having head health hear heard
heart help helpful helps here high higher highly him his history hold holiday home hope hospital host hotel hour
hours house how however huge human hundred idea ideas identify identity image images immediately impact implement
implementation import important improve improvement inbox include included includes including income increase
indeed independent index individual individuals industry info inform information initial initiative input inside
install installation installed instance instead institute instructions insurance integration intended interest
interested interesting interface internal international internet interview into introduction inventory investment
invitation invite invited invoice invoices involved issue issued issues item items itself january job join joined
joint journal journey july june just keep kernel key kind kitchen knew know knowledge known land language large
last late later latest launch law lead leader leadership leading learn learning least leave left legal less let
letter level levels library license life light like likely limit limited line link links list listed listen
listing little live lived living load loan local location lock log login logo long longer look looked looking looks
lost lot lots love low lower luck lunch machine made magazine mail mailbox mailing main maintain maintenance major
make makes making man manage managed management manager managers manual many map march mark market marketing
markets master match material materials matter maximum may maybe mean means measure media medical medium meet
meeting meetings member members membership memory mention mentioned menu message messages met method might mind
minimum minor minute minutes miss missing mobile mode model modern modified module moment monday money monitor month
monthly months more morning most mother mountain move moved much multiple museum music must myself name names
national natural near nearly necessary need needed needs negative neither network never new news newsletter next
nice night noon none normal normally north not note notes nothing notice notification notified november number
numbers object objective obtain obvious obviously october off offer offered offers office officer official often
old once one ones ongoing online only open opened operating operation operations opinion opportunity option options
orange order ordered orders organization original other others otherwise our out outlook output outside over
overall overview own owner pack package packages page pages paid paper paragraph parameter parent park part
participants particular particularly parties partner partners parts party pass password past patch path patient
pay payment payments pending people per perfect perform performance perhaps period permission person personal
personally phase phone photo photos physical pick picture pictures piece place plan plane planned planning plans
platform play player please plus point points policies policy political poor popular population position positive
possible possibly post posted potential power practice prefer preferences preliminary premium preparation prepare
prepared presence present presentation president press pressure pretty prevent preview previous previously price
prices primary print printer prior priority privacy private probably problem problems procedure procedures proceed
process processed processing produce product production products professional profile profit program programme
programs progress project projects promise promotion proof proper properly property proposal proposed protect
protection provide provided provider provides public publication publish purchase purpose push put quality quarter
quarterly question questions quick quickly quiet quite quote raise range rate rates rather reach read reader ready
real really reason reasonable reasons receipt receive received recent recently recipient recipients recommend
record records recover red reduce refer reference referred refund regard regarding regards region register
registered registration regular regularly related relations release released relevant reliable remain remains
remember reminder remote remove removed renew rent repair repeat replace replacement replied reply report reported
reporting reports repository represent request requested requests require required requirement requirements
research reservation reserve reserved reset resolve resolved resource resources respect respond response
responsible rest restart restaurant result results retail return returned revenue review reviewed reviews revised
right rights risk road role room rooms round route row rule rules run running safe safety said sale sales same
sample satisfied saturday save saving saw say saying says scale scan schedule scheduled school science scope score
screen script search season seat second secretary section sector secure security see seem seems seen select
selected selection sell send sender sending senior sense sent separate september serial series serious server
servers service services session set sets setting settings setup seven several shall share shared sheet ship
shipped shipping shop shopping short shortly should show showing shows side sign signature signed significant
similar simple simply since single sister sit site sites situation six size skills sleep slightly slow small smart
social society software sold solution solutions some somebody someone something sometimes somewhere son soon sorry
sort sound source south space speak special specific specification speed spend sponsor sport spring staff stage
standard standards start started starting starts state statement states station status stay step steps still stock
stop storage store stores story strategic strategy street strong structure student students studies study stuff
style subject submission submit submitted subscribe subscribed subscription success successful successfully such
suggest suggested suggestion suggestions suitable summary summer sunday supplier supply support supported suppose
sure surprise survey switch system systems table take taken takes taking talk target task tasks tax taxes teacher
team teams technical technology telephone tell template temporary ten term terms test tested testing tests text
than thank thanks that the their them themselves then there therefore these they thing things think third this
those though thought thoughts thousand thread three through throughout thursday thus ticket tickets time times
title today together told tomorrow tonight too took tool tools top topic topics total totally touch tour toward
town track tracking trade traffic train training transaction transfer transport travel tree trial trip trouble true
trust try trying tuesday turn twice two type types unable under understand understanding unfortunately union unique
unit university unless unlimited unsubscribe until update updated updates upgrade upload upon urgent usage use used
useful user username users uses using usual usually vacation valid validate valuable value values various vehicle
vendor version versions very video view virtual visit visited voice volume vote wait waiting walk wall want wanted
warning warranty was watch water way ways wear weather web website wedding wednesday week weekend weekly weeks
welcome well went were west what whatever when where whether which while white who whole whose why wide wife will
win window windows winner winter wire wish with within without woman women wonder wonderful word words work worked
worker working works workshop world worry worth would write writing written wrong year years yellow yes yesterday
yet you young your yours yourself
"""

MORE = """
und oder nicht auch eine einen einem einer haben werden wird wurde sind sich von zum zur mit bei auf aus nach über
durch für können möchten Sehr geehrte Damen und Herren, sehr geehrter Herr Vielen Dank für Ihre Mit freundlichen
Grüßen Viele Grüße Liebe Grüße Hallo zusammen, Bitte beachten Sie, dass Rechnung Bestellung Termin Anhang Nachricht
les des une pour avec vous nous votre notre dans sur est sont cette merci de bien vouloir Bonjour, Cordialement,
Bien à vous, Veuillez trouver ci-joint facture commande rendez-vous réunion
los las una para con por que del como más este esta su sus Estimado Estimada Hola, Un saludo, Saludos cordiales,
Gracias por adjunto factura pedido reunión
il la gli per con che non della sono questo Gentile Buongiorno, Cordiali saluti, Grazie
een het van voor met niet aan zijn wordt Beste Geachte Met vriendelijke groet, Hartelijk dank
"""

PHRASES = """
Dear all,
Dear Sir or Madam,
Dear colleagues,
Dear customer,
Hi all,
Hi there,
Hi everyone,
Hello,
Good morning,
This is an automatically generated message, please do not reply to this email.
If you have any questions, please do not hesitate to contact us.
Please let me know if you have any questions or comments.
Please find attached the following document
I am writing to you with regard to
I hope this email finds you well. I just wanted to follow up on
I would like to thank you for your interest in our
Thank you for your order. Your order number is
Your invoice is attached. The total amount due is
You are receiving this email because you are subscribed to this list
To unsubscribe from this group and stop receiving emails from it, send an email to
To view this discussion on the web visit https://groups.
If you no longer wish to receive these emails, click here to unsubscribe
Click here to view this email in your browser
Update your preferences | Privacy Policy | Terms of Service | Contact us | All rights reserved.
This email and any files transmitted with it are confidential and intended solely for the use of the individual or
entity to whom they are addressed. If you have received this email in error please notify the sender and delete it.
If you are not the intended recipient, any disclosure, copying, distribution or use of the contents is prohibited.
Reply to this email directly or view it on GitHub. You are receiving this because you were mentioned.
Reset your password: if you did not request this, you can safely ignore this email.
_______________________________________________
Unsubscribe: https://lists.
mailing list -- users@lists.
-----BEGIN PGP SIGNATURE-----
-----END PGP SIGNATURE-----
-----BEGIN PGP SIGNED MESSAGE-----
Hash: SHA512
-----Original Message-----
From:  Sent:  To:  Subject:  wrote:
On Monday, January at Tuesday, February Wednesday, March Thursday, April Friday, May Saturday, June Sunday, July
August September October November December AM PM
> > > On Mon, Jan 1, 2024 at 10:00 wrote:
diff --git a/ b/
index 100644
--- a/
+++ b/
@@ -1,7 +1,7 @@
Signed-off-by: 
Reviewed-by: 
Best regards,
Kind regards,
With best wishes,
Regards,
Many thanks,
Thanks in advance
Thanks,
Thank you very much for your
Sincerely,
Cheers,
-- 
Sent from my iPhone
"""

HTML = """
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01 Transitional//EN" "http://www.w3.org/TR/html4/loose.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:v="urn:schemas-microsoft-com:vml" xmlns:o="urn:schemas-microsoft-com:office:office">
<!DOCTYPE html>
<html lang="en"><head>
<meta http-equiv="Content-Type" content="text/html; charset=utf-8">
<meta http-equiv="X-UA-Compatible" content="IE=edge">
<meta name="viewport" content="width=device-width, initial-scale=1.0">
<title></title>
<!--[if gte mso 9]><xml><o:OfficeDocumentSettings><o:AllowPNG/><o:PixelsPerInch>96</o:PixelsPerInch></o:OfficeDocumentSettings></xml><![endif]-->
<style type="text/css">
@media only screen and (max-width: 600px) { .container { width: 100% !important; } }
body { margin: 0; padding: 0; -webkit-text-size-adjust: 100%; -ms-text-size-adjust: 100%; }
p.MsoNormal, li.MsoNormal, div.MsoNormal {margin:0cm; margin-bottom:.0001pt; font-size:11.0pt; font-family:"Calibri",sans-serif;}
a:link, span.MsoHyperlink {mso-style-priority:99; color:#0563C1; text-decoration:underline;}
table, td { border-collapse: collapse; mso-table-lspace: 0pt; mso-table-rspace: 0pt; }
img { border: 0; height: auto; line-height: 100%; outline: none; text-decoration: none; }
</style>
</head>
<body style="margin:0;padding:0;background-color:#ffffff;" bgcolor="#FFFFFF" text="#000000" link="blue" vlink="purple">
<div class="WordSection1"><p class="MsoNormal"><span lang="EN-US" style="font-size:11.0pt;font-family:&quot;Calibri&quot;,sans-serif;color:#1F497D"><o:p>&nbsp;</o:p></span></p>
<blockquote type="cite" style="border:none;border-left:solid #CCCCCC 1.0pt;padding:0cm 0cm 0cm 6.0pt;margin-left:4.8pt">
<div dir="ltr"><br></div><div class="gmail_quote"><blockquote class="gmail_quote" style="margin:0px 0px 0px 0.8ex;border-left:1px solid rgb(204,204,204);padding-left:1ex">
<table width="100%" border="0" cellspacing="0" cellpadding="0" align="center" role="presentation" style="border-collapse:collapse;">
<tbody><tr><td align="center" valign="top" style="padding:0;font-family:Arial,Helvetica,sans-serif;font-size:14px;line-height:20px;color:#333333;">
<a href="https://www.example.com/" target="_blank" style="color:#1155cc;text-decoration:none;font-weight:bold;">
<img src="https://" alt="" width="600" height="1" border="0" style="display:block;width:100%;max-width:600px;">
<font face="Arial" size="2"><b></b></font><br>
<p style="margin:0 0 10px 0;"></p><ul><li></li></ul><h1></h1><h2></h2><strong></strong><em></em><span></span><hr>
</a></td></tr></tbody></table></div></body></html>
"""

HEADERS = """
X-MS-Exchange-Organization-AuthAs: Internal
X-MS-Exchange-CrossTenant-OriginalArrivalTime: 
X-MS-Has-Attach: 
X-MS-TNEF-Correlator: 
X-Originating-IP: []
Thread-Topic: 
Thread-Index: 
Accept-Language: en-US
Content-Language: en-US
X-Google-DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=1e100.net; s=20230601;
X-Gm-Message-State: 
X-Received: by 2002:a05:6402:: with SMTP id ; Mon, 01 Jan 2024 00:00:00 -0800 (PST)
ARC-Seal: i=1; a=rsa-sha256; t=17; cv=none; d=google.com; s=arc-20240605; b=
ARC-Message-Signature: i=1; a=rsa-sha256; c=relaxed/relaxed; d=google.com; s=arc-20240605; h=
ARC-Authentication-Results: i=1; mx.google.com; dkim=pass header.i=@ header.s= header.b=; spf=pass (google.com: domain of designates as permitted sender) smtp.mailfrom=; dmarc=pass (p=NONE sp=NONE dis=NONE) header.from=
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/simple; d=example.com; s=default; t=17; x=17; q=dns/txt; i=@; h=Date:From:To:Cc:Subject:Message-ID:In-Reply-To:References:MIME-Version:Content-Type:Content-Transfer-Encoding:Reply-To:List-Id:List-Unsubscribe; bh=; b=
Received-SPF: pass (example.com: domain of designates 192.168.0.1 as permitted sender) client-ip=;
Authentication-Results: mx.example.com; dkim=pass (2048-bit key; unprotected) header.d= header.i=@ header.a=rsa-sha256; spf=pass smtp.mailfrom=; dmarc=none
X-Virus-Scanned: Debian amavisd-new at 
X-Virus-Scanned: clamav-milter
X-Spam-Checker-Version: SpamAssassin 3.4.6 (2021-04-09) on 
X-Spam-Level: 
X-Spam-Score: 
X-Spam-Flag: NO
X-Spam-Status: No, score=-2.1 required=5.0 tests=BAYES_00,DKIM_SIGNED,DKIM_VALID,DKIM_VALID_AU,HTML_MESSAGE,RCVD_IN_DNSWL_NONE,SPF_HELO_NONE,SPF_PASS,T_SCC_BODY_TEXT_LINE,URIBL_BLOCKED autolearn=ham autolearn_force=no version=3.4.6
Auto-Submitted: auto-generated
Precedence: list
Precedence: bulk
X-Mailman-Version: 2.1.29
X-BeenThere: 
Archived-At: <https://lists.
List-Id: <.lists.>
List-Help: <mailto:?subject=help>
List-Post: <mailto:
List-Archive: <https://
List-Owner: <mailto:
List-Subscribe: <mailto:?subject=subscribe>
List-Unsubscribe: <mailto:?subject=unsubscribe>, <https://
List-Unsubscribe-Post: List-Unsubscribe=One-Click
Errors-To: 
Feedback-ID: 
X-Priority: 3
X-MSMail-Priority: Normal
X-MimeOLE: Produced By Microsoft MimeOLE V6.00.2900.2180
Importance: Normal
X-Mailer: Microsoft Outlook 16.0
X-Mailer: Apple Mail (2.3774.300.61.1.2)
X-Mailer: git-send-email 2.43.0
User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Thunderbird/115.7.0
User-Agent: Mutt/1.10.1 (2018-07-13)
X-Original-To: 
Delivered-To: 
Envelope-To: 
Return-Path: <bounces+
Return-Path: <
Received: by smtp.gmail.com with SMTP id for <>; Mon, 01 Jan 2024 00:00:00 -0800 (PST)
Received: from localhost (localhost [127.0.0.1])
\tby localhost (Postfix) with ESMTP id for <>; Tue, 02 Feb 2025 00:00:00 +0100 (CET)
Received: from (unknown [10.0.0.1]) by (8.14.4/8.14.4) with ESMTP id
\t(version=TLS1_3 cipher=TLS_AES_256_GCM_SHA384 bits=256/256)
\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)
\t key-exchange X25519 server-signature RSA-PSS (2048 bits) server-digest SHA256)
\t(No client certificate requested)
\t(envelope-from <>)
Received: from mail.example.org (mail.example.org [192.168.1.1])
\tby mx.example.com (Postfix) with ESMTPS id for <>;
\tWed, 03 Mar 2023 00:00:00 +0000 (UTC)
\tby with LMTP id for <>;
\tThu, 04 Apr 2022 00:00:00 +0200 (CEST)
Sender: owner-
Reply-To: 
Content-ID: <image001.png@01D
Content-Description: 
X-Attachment-Id: 
Content-Disposition: inline; filename="image001.png"
Content-Disposition: attachment;
\tfilename=".pdf"; size=; creation-date="Fri, 05 Jun 2020 00:00:00 GMT"
Content-Type: application/octet-stream; name=".zip"
Content-Type: application/vnd.openxmlformats-officedocument.wordprocessingml.document; name=".docx"
Content-Type: application/pgp-signature; name="signature.asc"
Content-Type: application/pkcs7-signature; name="smime.p7s"
Content-Type: multipart/signed; protocol="application/pgp-signature"; micalg=pgp-sha512;
Content-Type: multipart/report; report-type=delivery-status;
Content-Type: message/delivery-status
Content-Type: message/rfc822
Content-Type: text/calendar; charset="UTF-8"; method=REQUEST
Content-Type: image/jpeg; name=".jpg"
Content-Type: image/png; name=".png"
Content-Type: application/pdf; name=".pdf"
Content-Disposition: attachment; filename=".pdf"
Content-Transfer-Encoding: base64
Content-Type: multipart/related; type="multipart/alternative";
Content-Type: multipart/mixed;
 boundary="----=_NextPart_000_0000_01D
Content-Type: multipart/mixed; boundary="===============
Content-Type: multipart/alternative;
\tboundary="----=_Part_
Content-Type: multipart/alternative; boundary="000000000000
MIME-Version: 1.0
Content-Type: text/html; charset="iso-8859-1"
Content-Type: text/html; charset="UTF-8"
Content-Transfer-Encoding: quoted-printable
Content-Type: text/plain; charset=us-ascii; format=flowed
Content-Type: text/plain; charset="us-ascii"
Content-Type: text/plain; charset=windows-1252
Content-Type: text/plain; charset=iso-8859-1
Content-Type: text/plain; charset="UTF-8"; format=flowed; delsp=yes
Content-Type: text/plain; charset=utf-8
Content-Disposition: inline
Content-Transfer-Encoding: 7bit
Content-Transfer-Encoding: 8bit
From: =?UTF-8?B?
From: =?utf-8?Q?
From: =?iso-8859-1?Q?
To: undisclosed-recipients:;
Cc: <
Bcc: 
Subject: =?UTF-8?Q?
Subject: =?UTF-8?B?
Subject: Fwd: 
Subject: [PATCH] 
Subject: Re: 
Message-ID: <@mail.gmail.com>
Message-Id: <
In-Reply-To: <CA+
References: <
 <
Date: Sat, 06 Jul 2019 00:00:00 -0400
Date: Sun, 7 Aug 2021 00:00:00 -0700
Date: Mon, 8 Sep 2024 00:00:00 +0530
Date: Tue, 9 Oct 2025 00:00:00 +0200
Date: Wed, 10 Nov 2026 00:00:00 +0100
Date: Thu, 11 Dec 2023 00:00:00 +0000
From: "" <info@example.com>
To: "" <@gmail.com>, <@yahoo.com>, <@hotmail.com>, <@outlook.com>, <@googlegroups.com>, <@example.org>
Subject: 
Date: Fri, 
Message-ID: <
In-Reply-To: <
References: <
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

"""


def content() -> bytes:
    """All of it, with the line ends of mail."""
    words = " ".join((WORDS + MORE).split())
    text = "".join([words, HTML, PHRASES, HEADERS.replace("\\t", "\t")])
    return text.replace("\n", "\r\n").encode()
