import django.contrib.postgres.fields.ranges
import django.contrib.postgres.indexes
import django.contrib.postgres.operations
import django.core.validators
import django.db.models.constraints
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('processes', '0001_initial'),
        ('releases', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        django.contrib.postgres.operations.BtreeGistExtension(),
        migrations.CreateModel(
            name='Booking',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('what', models.CharField(max_length=220)),
                ('during', django.contrib.postgres.fields.ranges.DateTimeRangeField()),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='BreakGlass',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reason', models.TextField()),
                ('ignored', models.JSONField(default=list, help_text='What would have stopped it.')),
                ('at', models.DateTimeField()),
                ('by_name', models.CharField(max_length=150)),
                ('signed_at', models.DateTimeField(null=True)),
                ('signed_by_name', models.CharField(blank=True, max_length=150)),
                ('comment', models.TextField(blank=True)),
            ],
            options={
                'ordering': ['-id'],
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='Feed',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=200)),
                ('kind', models.CharField(choices=[('all', 'All'), ('mine', 'Mine'), ('group', 'Group')], max_length=10)),
                ('digest', models.CharField(max_length=64, unique=True)),
                ('created_at', models.DateTimeField()),
                ('last_used_at', models.DateTimeField(null=True)),
                ('revoked_at', models.DateTimeField(null=True)),
            ],
            options={
                'ordering': ['-id'],
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='FreezeException',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reason', models.TextField()),
                ('expires_at', models.DateTimeField()),
                ('state', models.CharField(choices=[('pending', 'Pending'), ('granted', 'Granted'), ('refused', 'Refused'), ('withdrawn', 'Withdrawn')], default='pending', max_length=10)),
                ('asked_at', models.DateTimeField()),
                ('asked_by_name', models.CharField(max_length=150)),
                ('decided_at', models.DateTimeField(null=True)),
                ('decided_by_name', models.CharField(blank=True, max_length=150)),
                ('decision_reason', models.TextField(blank=True)),
            ],
            options={
                'ordering': ['-id'],
                'permissions': [('grant_freezeexception', 'Can grant exceptions from freezes')],
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='FreezeWindow',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('starts_at', models.DateTimeField()),
                ('ends_at', models.DateTimeField(null=True)),
                ('lifted_at', models.DateTimeField(null=True)),
                ('lifted_by_name', models.CharField(blank=True, max_length=150)),
            ],
            options={
                'ordering': ['starts_at'],
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='Holiday',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('on', models.DateField()),
                ('name', models.CharField(max_length=200)),
            ],
            options={
                'ordering': ['calendar', 'on'],
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='HolidayCalendar',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('slug', models.CharField(max_length=64, unique=True, validators=[django.core.validators.RegexValidator('^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$', "Use 1 to 64 lower-case letters, digits and hyphens, such as 'build-service'.")], verbose_name='id')),
                ('name', models.CharField(max_length=200)),
                ('description', models.TextField(blank=True)),
                ('imported_at', models.DateTimeField()),
                ('version', models.PositiveIntegerField(default=1)),
            ],
            options={
                'ordering': ['slug'],
            },
        ),
        migrations.AlterModelOptions(
            name='release',
            options={'ordering': ['-id'], 'permissions': [('operate_release', 'Can pause, abort and decide in release'), ('break_glass_release', 'Can start release in spite of what stops it')]},
        ),
        migrations.RemoveConstraint(
            model_name='release',
            name='occurrence_once_per_group',
        ),
        migrations.AddField(
            model_name='activityrun',
            name='due_at',
            field=models.DateTimeField(help_text='When it should be over; never changes its state.', null=True),
        ),
        migrations.AddField(
            model_name='activityrun',
            name='held_by',
            field=models.JSONField(help_text='What keeps it from opening until then.', null=True),
        ),
        migrations.AddField(
            model_name='activityrun',
            name='held_until',
            field=models.DateTimeField(help_text='When it may open, as last looked at.', null=True),
        ),
        migrations.AddField(
            model_name='activityrun',
            name='opens_at',
            field=models.DateTimeField(help_text='It does not open before.', null=True),
        ),
        migrations.AddField(
            model_name='freeze',
            name='next_plan_at',
            field=models.DateTimeField(blank=True, help_text='When the tick plans further ahead.', null=True),
        ),
        migrations.AddField(
            model_name='freeze',
            name='planned_until',
            field=models.DateTimeField(blank=True, help_text='Its windows before this have rows.', null=True),
        ),
        migrations.AddField(
            model_name='freeze',
            name='version',
            field=models.PositiveIntegerField(default=1),
        ),
        migrations.AddField(
            model_name='phaserun',
            name='due_at',
            field=models.DateTimeField(help_text='When it should be over; never changes its state.', null=True),
        ),
        migrations.AddField(
            model_name='phaserun',
            name='held_by',
            field=models.JSONField(help_text='What keeps it from opening until then.', null=True),
        ),
        migrations.AddField(
            model_name='phaserun',
            name='held_until',
            field=models.DateTimeField(help_text='When it may open, as last looked at.', null=True),
        ),
        migrations.AddField(
            model_name='phaserun',
            name='opens_at',
            field=models.DateTimeField(help_text='It does not open before.', null=True),
        ),
        migrations.AddField(
            model_name='release',
            name='check_at',
            field=models.DateTimeField(blank=True, help_text='When the tick looks at what would stop it.', null=True),
        ),
        migrations.AddField(
            model_name='release',
            name='findings',
            field=models.JSONField(blank=True, default=list, help_text='What would stop it, as last looked at.'),
        ),
        migrations.AddField(
            model_name='release',
            name='sequence',
            field=models.PositiveIntegerField(blank=True, help_text="Its number among its group's occurrences.", null=True),
        ),
        migrations.AddField(
            model_name='release',
            name='touched_at',
            field=models.DateTimeField(blank=True, help_text='When a person last changed what was planned.', null=True),
        ),
        migrations.AddField(
            model_name='releasegroup',
            name='next_plan_at',
            field=models.DateTimeField(blank=True, help_text='When the tick plans further ahead.', null=True),
        ),
        migrations.AddField(
            model_name='releasegroup',
            name='planned_until',
            field=models.DateTimeField(blank=True, help_text='Occurrences before this have releases.', null=True),
        ),
        migrations.AddField(
            model_name='taskrun',
            name='due_at',
            field=models.DateTimeField(help_text='When it should be done; never changes anything.', null=True),
        ),
        migrations.AddField(
            model_name='taskrun',
            name='opens_at',
            field=models.DateTimeField(help_text='When it should begin; never changes anything.', null=True),
        ),
        migrations.AddIndex(
            model_name='activityrun',
            index=models.Index(condition=models.Q(('held_until__isnull', False)), fields=['held_until'], name='activity_run_held'),
        ),
        migrations.AddIndex(
            model_name='freeze',
            index=models.Index(condition=models.Q(('next_plan_at__isnull', False)), fields=['next_plan_at'], name='freeze_plan'),
        ),
        migrations.AddIndex(
            model_name='phaserun',
            index=models.Index(condition=models.Q(('held_until__isnull', False)), fields=['held_until'], name='phase_run_held'),
        ),
        migrations.AddIndex(
            model_name='release',
            index=models.Index(condition=models.Q(('check_at__isnull', False)), fields=['check_at'], name='release_check'),
        ),
        migrations.AddIndex(
            model_name='release',
            index=models.Index(fields=['group', 'planned_start_at'], name='release_of_group'),
        ),
        migrations.AddIndex(
            model_name='release',
            index=models.Index(fields=['planned_start_at', 'planned_end_at'], name='release_planned'),
        ),
        migrations.AddIndex(
            model_name='releasegroup',
            index=models.Index(condition=models.Q(('next_plan_at__isnull', False)), fields=['next_plan_at'], name='group_plan'),
        ),
        migrations.AddConstraint(
            model_name='release',
            constraint=models.UniqueConstraint(deferrable=django.db.models.constraints.Deferrable['DEFERRED'], fields=('group', 'occurs_at'), name='occurrence_once_per_group'),
        ),
        migrations.AddConstraint(
            model_name='release',
            constraint=models.UniqueConstraint(deferrable=django.db.models.constraints.Deferrable['DEFERRED'], fields=('group', 'sequence'), name='sequence_once_per_group'),
        ),
        migrations.AddField(
            model_name='booking',
            name='release',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='bookings', to='releases.release'),
        ),
        migrations.AddField(
            model_name='breakglass',
            name='by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='breakglass',
            name='release',
            field=models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='break_glass', to='releases.release'),
        ),
        migrations.AddField(
            model_name='breakglass',
            name='signed_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='feed',
            name='group',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='feeds', to='releases.releasegroup'),
        ),
        migrations.AddField(
            model_name='feed',
            name='owner',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='calendar_feeds', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='freezeexception',
            name='asked_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='freezeexception',
            name='decided_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='freezeexception',
            name='freeze',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='exceptions', to='releases.freeze'),
        ),
        migrations.AddField(
            model_name='freezeexception',
            name='group',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='freeze_exceptions', to='releases.releasegroup'),
        ),
        migrations.AddField(
            model_name='freezeexception',
            name='release',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='freeze_exceptions', to='releases.release'),
        ),
        migrations.AddField(
            model_name='freezewindow',
            name='freeze',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='windows', to='releases.freeze'),
        ),
        migrations.AddField(
            model_name='holiday',
            name='calendar',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='days', to='releases.holidaycalendar'),
        ),
        migrations.AddIndex(
            model_name='booking',
            index=django.contrib.postgres.indexes.GistIndex(fields=['what', 'during'], name='booking_overlap'),
        ),
        migrations.AddConstraint(
            model_name='booking',
            constraint=models.UniqueConstraint(fields=('release', 'what'), name='booked_once_by_a_release'),
        ),
        migrations.AddIndex(
            model_name='breakglass',
            index=models.Index(condition=models.Q(('signed_at', None)), fields=['release'], name='break_glass_unpaid'),
        ),
        migrations.AddConstraint(
            model_name='feed',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('group__isnull', False), ('kind', 'group')), models.Q(models.Q(('kind', 'group'), _negated=True), ('group', None)), _connector='OR'), name='feed_names_its_group'),
        ),
        migrations.AddIndex(
            model_name='freezeexception',
            index=models.Index(condition=models.Q(('state', 'granted')), fields=['expires_at'], name='freeze_exception_granted'),
        ),
        migrations.AddConstraint(
            model_name='freezeexception',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('group__isnull', False), ('release', None)), models.Q(('group', None), ('release__isnull', False)), _connector='OR'), name='freeze_exception_has_one_scope'),
        ),
        migrations.AddIndex(
            model_name='freezewindow',
            index=models.Index(fields=['ends_at', 'starts_at'], name='freeze_window_open'),
        ),
        migrations.AddConstraint(
            model_name='freezewindow',
            constraint=models.UniqueConstraint(fields=('freeze', 'starts_at'), name='freeze_window_once'),
        ),
        migrations.AddConstraint(
            model_name='freezewindow',
            constraint=models.CheckConstraint(condition=models.Q(('ends_at', None), ('ends_at__gte', models.F('starts_at')), _connector='OR'), name='freeze_window_ends_after_it_starts'),
        ),
        migrations.AddConstraint(
            model_name='holiday',
            constraint=models.UniqueConstraint(fields=('calendar', 'on'), name='holiday_once_per_day'),
        ),
    ]
