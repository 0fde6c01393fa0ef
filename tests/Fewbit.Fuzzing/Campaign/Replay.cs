using Fewbit.Fuzzing.Models;
using Fewbit.Onnx.Protos;
using Google.Protobuf;

namespace Fewbit.Fuzzing.Campaign;

/// <summary>One case again, by its number, in this process.</summary>
internal static class Replay
{
    private static readonly Lock s_saving = new();

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
        var reached = new HashSet<(string, string)>();
        foreach (ModelProto model in cases.Seeds)
        {
            Outcome outcome = cases.Run("model.onnx", model.ToByteArray(), 0);
            if (outcome.Kind == "accepted and ran")
            {
                foreach (NodeProto node in FieldMutations.Messages(model).OfType<NodeProto>()) reached.Add((node.Domain, node.OpType));
                continue;
            }
            Console.WriteLine($"{outcome.Kind}: {outcome.Detail}");
            refused++;
        }
        Console.WriteLine($"no seed runs: {string.Join(", ", cases.Operators.Where(name => !reached.Contains(name)).Select(name => $"{name.Domain}.{name.OpType}"))}");
        Console.WriteLine($"{cases.Seeds.Count - refused} of {cases.Seeds.Count} seeds run");
        return 0;
    }

    /// <summary>Keeps the file of a finding and a line about it.</summary>
    public static void Save(FuzzArguments given, string kind, Finding finding, Lazy<ICases> cases)
    {
        string folder = Directory.CreateDirectory(Path.Combine(given.Folder, "findings")).FullName;
        lock (s_saving)
        {
            File.AppendAllText(Path.Combine(folder, $"{kind}.tsv"), $"{finding.Number}\t{finding.Kind}\t{finding.Detail}\n");
            (string name, byte[] content) = cases.Value.Create(finding.Number);
            Save(given, kind, finding.Number, name, content);
        }
    }

    private static string Save(FuzzArguments given, string kind, long number, string name, byte[] content)
    {
        string folder = Directory.CreateDirectory(Path.Combine(given.Folder, "findings")).FullName, path = Path.Combine(folder, $"{kind}-{number}-{name}");
        File.WriteAllBytes(path, content);
        return path;
    }
}
