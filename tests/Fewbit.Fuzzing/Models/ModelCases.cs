using System.Runtime.InteropServices;
using Fewbit.Graphs;
using Fewbit.Graphs.Execution;
using Fewbit.Onnx;
using Fewbit.Onnx.Protos;
using Fewbit.Runtime;
using Fewbit.Tensors;
using Google.Protobuf;

namespace Fewbit.Fuzzing.Models;

/// <summary>Mutated model files, by number.</summary>
internal sealed partial class ModelCases : ICases
{
    /// <summary>Set to find which case destroys memory that a later one stumbles over.</summary>
    private static readonly bool s_guardsAll = Environment.GetEnvironmentVariable("FEWBIT_FUZZ_GUARD") == "all";

    private readonly ModelCorpus _corpus = ModelCorpus.Load();
    private readonly int _seed;
    private readonly string _folder;
    private readonly string _path;

    public ModelCases(int seed, string folder)
    {
        (_seed, _folder) = (seed, Directory.CreateDirectory(Path.Combine(folder, "model")).FullName);
        _path = Path.Combine(_folder, "model.onnx");
        FillFolder(folder);
    }

    public string Description => $"{_corpus.Models.Count} models, {_corpus.Operators.Count} operators";

    public IReadOnlyList<ModelProto> Seeds => _corpus.Models;

    public IReadOnlyList<(string Domain, string OpType)> Operators => _corpus.Operators;

    /// <summary>Three cases of five change the decoded model, the others the bytes of the file.</summary>
    public (string Name, byte[] Content) Create(long number)
    {
        var random = new Random(CaseSeed.Of(_seed, number));
        ModelProto model = _corpus.Models[random.Next(_corpus.Models.Count)].Clone(), other = _corpus.Models[random.Next(_corpus.Models.Count)];
        bool isDecoded = number % 5 < 3;
        if (isDecoded || random.Next(4) == 0) new ModelMutations(_corpus, random).Apply(model, other);
        byte[] bytes = model.ToByteArray();
        return ("model.onnx", isDecoded ? bytes : ByteMutations.Apply(bytes, random, random.Next(4) == 0 ? other.ToByteArray() : bytes));
    }

    public Outcome Run(string name, byte[] content, long number)
    {
        File.WriteAllBytes(_path, content);
        using GuardedMemory? guarded = number % 4 == 0 || s_guardsAll ? GuardedMemory.Begin() : null;
        ExecutionLimits limits = guarded is null ? FuzzLimits.Execution : FuzzLimits.Guarded;
        Graph graph;
        try
        {
            graph = OnnxFile.Load(_path, FuzzLimits.Reading);
        }
#pragma warning disable CA1031 // Whatever is thrown is the outcome.
        catch (Exception e)
        {
            return Outcome.Of(e, "read", _path);
        }
        var random = new Random(CaseSeed.Of(~_seed, number));
        Dictionary<string, Tensor>? inputs = RandomTensors.For(graph, random);
        string stage = "prepared";
        try
        {
            if (random.Next(4) == 0) Named(() => OnnxFile.ToBytes(graph));
            using ModelRunner runner = ModelRunner.Load(_path, new() { Limits = limits, Reading = FuzzLimits.Reading, FusesQuantized = random.Next(4) > 0 });
            if (inputs is null) return Outcome.Accepted("accepted, no inputs of that type or size");
            stage = "run";
            runner.Run(inputs);
            if (random.Next(3) == 0) Named(() => new Interpreter(limits).Run(graph, inputs));
            return Outcome.Accepted("accepted and ran");
        }
        catch (Exception e)
        {
            return Outcome.Of(e, stage, _path);
        }
#pragma warning restore CA1031
    }

    /// <summary>What is given a graph, not a file, names the node alone in its messages.</summary>
    private void Named<T>(Func<T> action)
    {
        try
        {
            action();
        }
        catch (InvalidDataException e)
        {
            throw OnnxFile.Prefixed(_path, e);
        }
    }

    /// <summary>What external data may point at: files inside and outside, links out, a pipe that nobody writes.</summary>
    private void FillFolder(string outside)
    {
        File.WriteAllBytes(Path.Combine(outside, "outside.bin"), new byte[8192]);
        File.WriteAllBytes(Path.Combine(_folder, "weights.bin"), [.. Enumerable.Range(0, 8192).Select(i => (byte)(i * 37))]);
        Directory.CreateDirectory(Path.Combine(_folder, "sub"));
        string link = Path.Combine(_folder, "link.bin"), linked = Path.Combine(_folder, "linked"), pipe = Path.Combine(_folder, "fifo");
        if (!File.Exists(link)) File.CreateSymbolicLink(link, Path.Combine(outside, "outside.bin"));
        if (!Directory.Exists(linked)) Directory.CreateSymbolicLink(linked, outside);
        if (!OperatingSystem.IsWindows() && !File.Exists(pipe)) _ = MakePipe(pipe, 0x180);
    }

    [LibraryImport("libc", EntryPoint = "mkfifo", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int MakePipe(string path, uint mode);
}
