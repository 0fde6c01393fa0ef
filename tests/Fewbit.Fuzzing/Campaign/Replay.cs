using Fewbit.Fuzzing.Models;
using Fewbit.Onnx.Protos;
using Google.Protobuf;

namespace Fewbit.Fuzzing.Campaign;

/// <summary>One case again, by its number, in this process.</summary>
internal static class Replay
{
    public static int Run(FuzzArguments given, long number)
    {
        ICases cases = Child.Cases(given.Kind, given.Seed, Directory.CreateDirectory(Path.Combine(given.Folder, "replay")).FullName);
        (string name, byte[] content) = cases.Create(number);
        string saved = Save(given, given.Kind, number, name, content);
        Console.WriteLine($"case {number} of {given.Kind}, seed {given.Seed}: {saved} ({content.Length} bytes)");
        Outcome outcome = new("", false, "");
        var thread = new Thread(() => outcome = cases.Run(name, content, number), FuzzLimits.StackBytes);
        thread.Start();
        thread.Join();
        Console.WriteLine($"{outcome.Kind}: {outcome.Detail}");
        return outcome.IsFinding ? 1 : 0;
    }

    /// <summary>Tries every seed as it is and names those that do not run.</summary>
    public static int Seeds(FuzzArguments given)
    {
        var cases = new ModelCases(given.Seed, Directory.CreateDirectory(Path.Combine(given.Folder, "replay")).FullName);
        int refused = 0;
        foreach (ModelProto model in cases.Seeds)
        {
            Outcome outcome = cases.Run("model.onnx", model.ToByteArray(), 0);
            if (outcome.Kind == "accepted and ran") continue;
            Console.WriteLine($"{outcome.Kind}: {outcome.Detail}");
            refused++;
        }
        Console.WriteLine($"{cases.Seeds.Count - refused} of {cases.Seeds.Count} seeds run");
        return 0;
    }

    /// <summary>Keeps the file of a finding and a line about it.</summary>
    public static void Save(FuzzArguments given, string kind, Finding finding)
    {
        string folder = Directory.CreateDirectory(Path.Combine(given.Folder, "findings")).FullName;
        lock (typeof(Replay)) File.AppendAllText(Path.Combine(folder, $"{kind}.tsv"), $"{finding.Number}\t{finding.Kind}\t{finding.Detail}\n");
    }

    private static string Save(FuzzArguments given, string kind, long number, string name, byte[] content)
    {
        string folder = Directory.CreateDirectory(Path.Combine(given.Folder, "findings")).FullName, path = Path.Combine(folder, $"{kind}-{number}-{name}");
        File.WriteAllBytes(path, content);
        return path;
    }
}
