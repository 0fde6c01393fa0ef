using System.Diagnostics;
using System.Globalization;
using Fewbit.Fuzzing;
using Fewbit.Fuzzing.Campaign;

if (args is ["child", var childKind, ..])
{
    long[] numbers = [.. args[3..6].Select(text => long.Parse(text, CultureInfo.InvariantCulture))];
    Child.Run(childKind, int.Parse(args[2], CultureInfo.InvariantCulture), numbers[0], numbers[1], numbers[2], args[6], Console.Out);
    return 0;
}
FuzzArguments? given = FuzzArguments.Parse(args);
if (given is null) return 2;
if (given.ListsSeeds) return Replay.Seeds(given);
return given.Case is { } number ? Replay.Run(given, number) : Run(given);

static int Run(FuzzArguments given)
{
    var reports = new List<(string Kind, Tally Tally, double Seconds)>();
    foreach ((string kind, long count) in given.Counts)
    {
        long start = Stopwatch.GetTimestamp();
        var parent = new Parent(kind, given.Seed, given.Folder);
        var cases = new Lazy<ICases>(() => Child.Cases(kind, given.Seed, Directory.CreateDirectory(Path.Combine(given.Folder, "replay")).FullName));
        Tally tally = parent.Run(given.First, count, given.Processes, finding => Replay.Save(given, kind, finding, cases));
        reports.Add((kind, tally, Stopwatch.GetElapsedTime(start).TotalSeconds));
    }
    string text = FuzzReport.Write(given, reports);
    Console.Write(text);
    if (given.Report is { } path) File.WriteAllText(path, FuzzReport.Introduction + text);
    return reports.All(report => report.Tally.Findings.Count == 0) ? 0 : 1;
}
